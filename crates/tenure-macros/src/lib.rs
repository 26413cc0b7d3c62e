//! The macros of `tenure`, which re-exports them; depend on that crate.
//!
//! Stages: `attr` reads the settings, `signature` the function, `expand` writes what they mean, and
//! `beside` what stands beside it, both out of an `expansion`; `carry` says which builds can leave their
//! calls; `derive` is the other macro. A setting
//! that is wrong gives its error and is left out of an expansion that is otherwise whole, so that one
//! mistake gives one error.
//!
//! The examples stand in `doc/`, and run where `tenure` is: in `docs/examples.rs` of the workspace.

mod attr;
mod beside;
mod carry;
mod derive;
mod expand;
mod expansion;
mod key;
mod place;
mod returns;
mod signature;
mod tokens;

use proc_macro::TokenStream;
use quote::quote;

/// Keeps what a function returns: built once, shared, checked, and released exactly once.
///
/// The function is called as before, and gives a `Lease<T>` in the place of a `T`; one that returns
/// `Result<T, E>` gives `Result<Lease<T>, Shared<E>>`.
///
/// # Beside the function
///
/// | Function | What it does |
/// |---|---|
/// | `name::clear()` | clears every entry; `.await` waits until all of it has been released |
/// | `name::clear_entry(args)` | the same of the entry for the arguments of a call |
/// | `name::expire(args)` | what is kept for these arguments is too old from now on: it serves for as long as `max_stale` allows and is refreshed, or it is released |
/// | `name::expire_all()` | the same of every entry |
/// | `name::warm([…])` | builds in the background before the first user comes: of the arguments of many calls, tuples where there are several parameters; gives a `Warming` to wait for |
/// | `name::clear_if(\|resource, info\| …)` | clears the entries that are meant, and gives how many there were |
/// | `name::info()` | the figures of the function, an `Info` |
/// | `name::entries()` | the figures of each live entry, oldest first: a `Vec<EntryInfo>` |
/// | `name::peek(args)` | an `Option<Lease<T>>` of what is kept: nothing is built, awaited, checked or counted |
/// | `name::contains(args)` | whether `peek` finds something |
/// | `name::explain(args)` | whether a call would be a hit, and why not: an `Explanation` |
/// | `name::insert(args, value)` | keeps what was made elsewhere, as if it had been built; gives its `Lease<T>` |
/// | `name::replace(args, value)` | the same, but gives what stood there, an `Option<Lease<T>>` |
///
/// For a method they are `Type::name_clear()`, `Type::name_peek(&this, args)` and so on.
///
/// # Settings
///
/// | Setting | Values | Meaning |
/// |---|---|---|
/// | `ttl` | `"1h30m"`, seconds, a `Duration` expression; `fn(&T) -> Duration`, or an `Option` of one | the maximum age of an entry; none by default |
/// | `refresh_mode` | `"foreground"`, `"background"`, `"ahead"` | whether a call waits for what is built in the place of a resource that is too old, or gets the old one meanwhile; with `"ahead"` that begins before it is too old, where it was asked for lately |
/// | `refresh_before` | as `drain` | how long before the end of its age a call has the successor built in the background |
/// | `max_stale` | as `drain` | for how long a resource that is too old may serve: while its successor is built in the background, or where that fails |
/// | `max_idle` | as `drain` | after how long an entry goes that nobody asks for and nobody holds |
/// | `weight` | `fn(&T) -> u64`, a number | how heavy a resource is, in any unit |
/// | `max_weight` | a number | the most that the entries may weigh together; the one used longest ago goes first |
/// | `build_timeout` | as `drain` | how long a caller waits for a build, which then goes on without it |
/// | `fleet_builds` | a number of at least 1 | how many members of a fleet build one key at a time; all of them by default |
/// | `max_entries` | a number of at least 1 | the most entries at any moment; no bound by default |
/// | `validate` | `fn(&T) -> bool`, or async in an `async fn` | asked at each access; `false` builds anew |
/// | `keep_if` | `fn(&T) -> bool` | asked of what a build gave; with `false` it goes to its callers and is not kept |
/// | `on_release` | `fn(T)` or `fn(T, Cause)`, or async | receives the resource when its entry has ended and nobody holds it |
/// | `scope` | `"global"`, `"session"` | who shares an entry |
/// | `tags` | `["billing", …]`; a function of the arguments, each by reference, that returns a list of texts | what carries a tag is cleared together by `tenure::clear_tag` |
/// | `drain` | `"30s"`, seconds, a `Duration` expression | how long a lease may outlive its entry before a warning is logged |
/// | `show_spinner` | `true`, `false`, a text | what a terminal shows while a build runs |
/// | `show_time` | `true`, `false` | the elapsed time next to it |
/// | `show_arguments` | `true`, `false` | whether `name::entries()` tells the arguments, which then are `Debug`; nothing that is left out of the key |
/// | `observes` | `true`, `false` | whether inputs that a build observes count as arguments |
/// | `carry` | `true`, `false` | whether a task may carry the build of an `async fn`; with `false` it is a part of the future that called |
/// | `warm` | `true`, `false` | whether there is a `name::warm(…)` of a blocking function with arguments of other types than `std`'s, in which no lifetime may hide then; it is there by itself for others |
/// | `associated` | alone | says that a function without `self` stands in an `impl` |
/// | `cache` | a name | what `clear`, `info` and so on belong to, where a module or a type has the function's name |
/// | `crate` | a path | where `tenure` is, if it goes by another name |
///
/// `refresh_mode` (but for `"foreground"`), `refresh_before` and `build_timeout` have builds made without a
/// caller, and so does `warm`. The arguments have to leave the call for that: each is owned and
/// `Clone + Send + Sync + 'static`, or a `&str`, a `&Path`, a `&[u8]` and the like, and the function is a
/// free one without type parameters. An async build is carried by a task, where a runtime or a
/// [spawner](https://docs.rs/tenure/latest/tenure/fn.set_spawner.html) can carry it and its future is
/// `Send`; elsewhere nothing is refreshed beside the callers, and a caller that builds by itself waits for
/// as long as that takes.
///
/// # Parameters
///
/// Every parameter is a part of the key, `self` too. One whose name begins with `_` is left out, and
/// so is one with `#[key(skip)]`; `#[key(with = path)]` takes what `path(&argument)` returns in its
/// place.
///
#[doc = include_str!("doc/cache_resource.md")]
#[proc_macro_attribute]
pub fn cache_resource(attributes: TokenStream, item: TokenStream) -> TokenStream {
    let item = match syn::parse::<syn::ItemFn>(item.clone()) {
        Ok(item) => item,
        Err(error) => {
            let error = signature::not_a_function(&item.clone().into(), error);
            let (error, item) = (
                error.to_compile_error(),
                proc_macro2::TokenStream::from(item),
            );
            return quote!(#error #item).into();
        }
    };
    let (settings, mistakes) = attr::read(attributes.into());
    let expanded = match signature::read(item, &settings) {
        Ok(function) => expand::expand(&function, &settings),
        Err((item, error)) => {
            let error = error.to_compile_error();
            quote!(#error #item)
        }
    };
    let mistakes = mistakes.iter().map(syn::Error::to_compile_error);
    quote!(#(#mistakes)* #expanded).into()
}

/// Makes a type of your own an argument of cached functions.
///
/// Every field is a part of the key, in whichever of these ways its type allows: `CacheKey`, then
/// `Hash`. `#[key(skip)]` leaves a field out, `#[key(with = path)]` takes what `path(&field)`
/// returns in its place. `#[key(crate = path)]` on the type says where `tenure` is, if it goes by
/// another name.
///
#[doc = include_str!("doc/cache_key.md")]
#[proc_macro_derive(CacheKey, attributes(key))]
pub fn cache_key(item: TokenStream) -> TokenStream {
    let item = syn::parse_macro_input!(item as syn::DeriveInput);
    derive::expand(&item)
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}
