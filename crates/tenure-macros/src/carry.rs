//! Builds that can do without their caller, by what the parameters of their function say.
//!
//! | Parameter | In a build that leaves its call |
//! |---|---|
//! | an owned type, `&'static T` | moved, and copied where the build may be made again |
//! | `&str`, `&Path`, `&OsStr`, `&CStr`, `&[u8]`, other slices of numbers and of `String`s | copied at a miss, and lent to the body |
//! | anything else: `&T`, `self`, a lifetime, `impl`, `dyn`, a type parameter | the build stays |
//!
//! The body of a function whose builds can leave stands beside it, so that a call, a refresh and a
//! `warm` run the same one.
//!
//! A lifetime may hide in a type that is written without it. In an `async fn` the compiler refuses that
//! (E0726), but for `Self`, the names of an `impl` and macros, with which a build stays. In a blocking
//! function it does not, so that `warm`, which names the types once more, is made only of types that are
//! known to hide none, and where it is asked for.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::visit::{self, Visit};
use syn::{
    Attribute, Error, GenericArgument, Lifetime, Macro, ParenthesizedGenericArguments,
    PathArguments, Type, TypeBareFn, TypeImplTrait, TypeInfer, TypePath, TypePtr, TypeReference,
    TypeTraitObject,
};

use crate::expansion::Expansion;
use crate::place::Place;
use crate::signature::{Function, Parameter};
use crate::tokens::{located_at, ungrouped};

/// How an argument comes along.
enum Comes<'a> {
    Owned(&'a Type),
    /// As a copy of what it refers to.
    Copied(&'a Type),
}

/// What a call is given in the place of its build.
pub(crate) struct Parts {
    /// Stands before the call; after it the names of the parameters are gone.
    pub(crate) before: TokenStream,
    /// The method of the cache.
    pub(crate) method: &'static str,
    /// The arguments, the build, and what has it carried.
    pub(crate) parts: TokenStream,
}

/// A function whose builds can leave its calls.
pub(crate) struct Leaving<'a> {
    expansion: &'a Expansion<'a>,
    coming: Vec<Comes<'a>>,
    names: Vec<&'a Ident>,
    arguments: Ident,
    /// The types of the arguments, owned.
    types: TokenStream,
    /// What a build gives.
    output: TokenStream,
}

/// How each argument comes along; nothing where one cannot.
fn coming(function: &Function) -> Option<Vec<Comes<'_>>> {
    let is_plain = function.place == Place::Free
        && function.receiver.is_none()
        && function.generics().params.is_empty();
    is_plain.then(|| function.parameters.iter().map(comes).collect())?
}

fn comes(parameter: &Parameter) -> Option<Comes<'_>> {
    // What stands in front of it may take it away.
    if !parameter.attributes.is_empty() {
        return None;
    }
    let ty = ungrouped(&parameter.ty);
    if parameter.opaque {
        return None;
    }
    if let Type::Reference(reference) = ty
        && reference.mutability.is_none()
        && reference.lifetime.as_ref().is_none_or(|it| it.ident == "_")
    {
        let to = ungrouped(&reference.elem);
        return (has_copies(to) && is_owned(to)).then_some(Comes::Copied(to));
    }
    is_owned(ty).then_some(Comes::Owned(ty))
}

/// What a reference is copied of, by the last word of its path.
const COPIES: [&str; 4] = ["str", "Path", "OsStr", "CStr"];

/// What a slice is copied of. Elements of other types may have no copies.
const ELEMENTS: [&str; 17] = [
    "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32",
    "f64", "bool", "char", "String",
];

/// Whether a reference to this is copied rather than kept.
fn has_copies(ty: &Type) -> bool {
    match ty {
        Type::Slice(slice) => is_named(&slice.elem, &ELEMENTS),
        ty => is_named(ty, &COPIES),
    }
}

fn is_named(ty: &Type, names: &[&str]) -> bool {
    let Type::Path(TypePath { qself: None, path }) = ungrouped(ty) else {
        return false;
    };
    path.segments
        .last()
        .is_some_and(|last| last.arguments.is_none() && names.iter().any(|name| last.ident == name))
}

/// Types in which no lifetime hides, by the last word of their path.
const PLAIN: [&str; 27] = [
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "usize",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "isize",
    "f32",
    "f64",
    "bool",
    "char",
    "str",
    "String",
    "Path",
    "PathBuf",
    "OsStr",
    "OsString",
    "CString",
    "Duration",
    "IpAddr",
    "SocketAddr",
    "SystemTime",
];

/// Types in which one hides only if it does in their arguments.
const WRAPPERS: [&str; 11] = [
    "Arc", "BTreeMap", "BTreeSet", "Box", "HashMap", "HashSet", "NonZero", "Option", "Rc", "Vec",
    "VecDeque",
];

/// Whether it is known of the type that no lifetime hides in it.
fn is_known(ty: &Type) -> bool {
    match ungrouped(ty) {
        Type::Reference(reference) => is_known(&reference.elem),
        Type::Slice(slice) => is_known(&slice.elem),
        Type::Array(array) => is_known(&array.elem),
        Type::Tuple(tuple) => tuple.elems.iter().all(is_known),
        Type::Path(TypePath { qself: None, path }) => {
            let Some(last) = path.segments.last() else {
                return false;
            };
            match &last.arguments {
                PathArguments::AngleBracketed(arguments) => {
                    let mut arguments = arguments.args.iter();
                    WRAPPERS.iter().any(|name| last.ident == name)
                        && arguments
                            .all(|it| matches!(it, GenericArgument::Type(ty) if is_known(ty)))
                }
                PathArguments::None => PLAIN.iter().any(|name| last.ident == name),
                PathArguments::Parenthesized(_) => false,
            }
        }
        _ => false,
    }
}

/// Whether nothing in the type is borrowed, or may be.
fn is_owned(ty: &Type) -> bool {
    let mut borrowed = Borrowed(false);
    borrowed.visit_type(ty);
    !borrowed.0
}

fn has_lifetime(arguments: &PathArguments) -> bool {
    let PathArguments::AngleBracketed(arguments) = arguments else {
        return false;
    };
    let mut arguments = arguments.args.iter();
    arguments.any(|it| matches!(it, GenericArgument::Lifetime(_)))
}

struct Borrowed(bool);

impl<'ast> Visit<'ast> for Borrowed {
    fn visit_type_path(&mut self, ty: &'ast TypePath) {
        // The one of the standard library that is written without its lifetime.
        let last = ty.path.segments.last();
        self.0 |= last.is_some_and(|last| last.ident == "Cow" && !has_lifetime(&last.arguments));
        visit::visit_type_path(self, ty);
    }
    fn visit_type_reference(&mut self, ty: &'ast TypeReference) {
        self.0 |= ty.lifetime.is_none();
        visit::visit_type_reference(self, ty);
    }
    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        self.0 |= lifetime.ident != "static";
    }
    fn visit_type_impl_trait(&mut self, _: &'ast TypeImplTrait) {
        self.0 = true;
    }
    fn visit_type_trait_object(&mut self, _: &'ast TypeTraitObject) {
        self.0 = true;
    }
    fn visit_type_ptr(&mut self, _: &'ast TypePtr) {
        self.0 = true;
    }
    fn visit_type_infer(&mut self, _: &'ast TypeInfer) {
        self.0 = true;
    }
    fn visit_macro(&mut self, _: &'ast Macro) {
        self.0 = true;
    }
    // The lifetimes of a function's own parameters are nobody else's.
    fn visit_type_bare_fn(&mut self, _: &'ast TypeBareFn) {}
    fn visit_parenthesized_generic_arguments(&mut self, _: &'ast ParenthesizedGenericArguments) {}
}

impl<'a> Leaving<'a> {
    /// Nothing where a build has to be a part of its caller. So it is too where a lifetime may hide in a
    /// type and nobody has said that none does.
    pub(crate) fn of(expansion: &'a Expansion<'a>) -> Option<Self> {
        let function = expansion.function;
        if expansion.settings.stays && function.is_async() {
            return None;
        }
        let is_wanted = function.is_async()
            || expansion.settings.warm.is_some()
            || !expansion.settings.leaving.is_empty()
            || function.parameters.iter().all(|it| is_known(&it.ty));
        if !is_wanted {
            return None;
        }
        let coming = coming(function)?;
        let krate = &expansion.krate;
        let written = &function.returns.written;
        let output = if expansion.settings.show_arguments {
            quote!(#krate::front::Built<#written>)
        } else {
            written.clone()
        };
        let types = coming.iter().map(|it| match it {
            Comes::Owned(ty) => quote!(#ty),
            Comes::Copied(ty) => quote!(<#ty as #krate::front::Owned>::Owned),
        });
        Some(Self {
            types: quote!((#(#types,)*)),
            names: function.parameters.iter().map(|it| &it.name).collect(),
            arguments: Ident::new("arguments", Span::mixed_site()),
            coming,
            output,
            expansion,
        })
    }

    /// The bodies, to stand beside the function: `block` is the author's, over the names of the parameters.
    pub(crate) fn beside(&self, block: &TokenStream) -> TokenStream {
        let Self {
            expansion,
            names,
            arguments,
            types,
            output,
            ..
        } = self;
        let (krate, function) = (&expansion.krate, expansion.function);
        let written = &function.returns.written;
        let lints = lints(&function.item.attrs);
        let lent = self.coming.iter().zip(names).filter_map(|it| match it {
            (Comes::Owned(_), _) => None,
            (Comes::Copied(ty), name) => Some(quote! {
                #[allow(unused_variables, clippy::used_underscore_binding)]
                let #name: &#ty = <#ty as #krate::front::Owned>::lent(&#name);
            }),
        });
        let taken = quote! {
            #[allow(unused_variables, clippy::used_underscore_binding)]
            let (#(#names,)*) = #arguments;
            #(#lent)*
        };
        let shown = expansion.arguments();
        if function.is_async() {
            let build = match &shown {
                None => block.clone(),
                Some(shown) => quote! {{
                    let shown = #shown;
                    #krate::front::Built::of_async(
                        shown,
                        #krate::front::future::<#written, _>(async move #block)
                    ).await
                }},
            };
            return quote! {
                #(#lints)*
                #[doc(hidden)]
                // The block is the author's, who has not written it within another one.
                #[allow(unused_braces, clippy::unused_async, clippy::type_complexity)]
                async fn __build(#arguments: #types) -> #output {
                    #taken
                    #build
                }

                #[doc(hidden)]
                #[allow(clippy::type_complexity)]
                fn __start(
                    #arguments: #types
                ) -> ::core::result::Result<#krate::front::Start<#types, #output>, #types> {
                    #[allow(unused_imports)]
                    use #krate::front::NotCarried as _;
                    #krate::front::Carrying(Self::__build, ::core::marker::PhantomData)
                        .start(#arguments)
                }
            };
        }
        let inputs = function.parameters.iter().map(|parameter| {
            let Parameter { name, ty, .. } = parameter;
            quote!(#[allow(unused_variables)] #name: #ty)
        });
        let build = match &shown {
            None => quote!(Self::__body(#(#names),*)),
            Some(shown) => {
                quote!(#krate::front::Built::of(#shown, move || Self::__body(#(#names),*)))
            }
        };
        quote! {
            #(#lints)*
            #[doc(hidden)]
            #[allow(
                clippy::needless_pass_by_value,
                clippy::ptr_arg,
                clippy::too_many_arguments,
                clippy::trivially_copy_pass_by_ref,
                clippy::type_complexity,
                clippy::unnecessary_wraps
            )]
            fn __body(#(#inputs),*) -> #written #block

            #[doc(hidden)]
            #[allow(clippy::type_complexity, clippy::used_underscore_binding)]
            fn __build(#arguments: #types) -> #output {
                #taken
                #build
            }
        }
    }

    /// The arguments of the call, owned, out of the names of its parameters.
    fn own(&self) -> TokenStream {
        let krate = &self.expansion.krate;
        let own = self.coming.iter().zip(&self.names).map(|it| match it {
            (Comes::Owned(_), name) => quote!(#name),
            (Comes::Copied(ty), name) => quote!(<#ty as #krate::front::Owned>::owned(#name)),
        });
        quote!((#(#own,)*))
    }

    /// The call of a function whose builds do without their callers where a setting says so, or where a
    /// task carries them.
    pub(crate) fn parts(&self) -> Option<Parts> {
        let Self {
            expansion,
            names,
            arguments,
            types,
            ..
        } = self;
        let (krate, cache) = (&expansion.krate, &expansion.cache);
        let (own, is_async) = (self.own(), expansion.function.is_async());
        let (place, leaving) = (expansion.place(), &expansion.settings.leaving);
        if leaving.is_empty() && !is_async {
            return None;
        }
        let (given, take) = if leaving.is_empty() {
            (
                quote!(let mut #arguments = #krate::front::Given),
                quote!(take),
            )
        } else {
            (
                quote!(let #arguments = #krate::front::GivenAgain),
                quote!(copied),
            )
        };
        let mut before = quote! {
            #[allow(clippy::used_underscore_binding)]
            let #arguments = {
                #[allow(unused_imports)]
                use #krate::front::GivenOnce as _;
                #given((#(#names,)*)).arguments();
                move || {
                    let (#(#names,)*) = #arguments.#take()?;
                    ::core::option::Option::Some(#own)
                }
            };
        };
        let start = quote!(#cache::__build, #cache::__start);
        if leaving.is_empty() {
            return Some(Parts {
                before,
                method: "call_carried",
                parts: quote_spanned!(place=> #arguments, #start),
            });
        }
        let keep = Ident::new("keep", Span::mixed_site());
        before.extend(quote! {
            let #keep = {
                #[allow(unused_imports)]
                use #krate::front::NotKeeping as _;
                #krate::front::Keeping::<#types>(::core::marker::PhantomData).keep()
            };
        });
        let (method, parts) = if is_async {
            ("call_refreshed_async", quote!(#arguments, #keep, #start))
        } else {
            ("call_refreshed", quote!(#arguments, #keep, #cache::__build))
        };
        Some(Parts {
            before,
            method,
            parts,
        })
    }

    /// Asks of each argument, at the setting for which that must be so, whether it can leave.
    pub(crate) fn asked(&self) -> TokenStream {
        let krate = &self.expansion.krate;
        let Some(setting) = self.expansion.settings.leaving.first() else {
            return TokenStream::new();
        };
        let owned = self.coming.iter().filter_map(|it| match it {
            Comes::Owned(ty) => Some(quote!(#krate::front::leaves::<#ty>();)),
            Comes::Copied(_) => None,
        });
        located_at(
            Span::call_site().located_at(setting.span()),
            owned.collect(),
        )
    }

    /// `name::warm(…)`.
    pub(crate) fn warm(&self, name: &Ident, doc: &str) -> TokenStream {
        let Self {
            expansion, names, ..
        } = self;
        let (krate, cache) = (&expansion.krate, &expansion.cache);
        let (key, vis) = (&expansion.key, &expansion.function.item.vis);
        let failure = &expansion.function.returns.failure;
        let (encode, cached, own) = (expansion.encode(), expansion.cached(), self.own());
        let each = self.coming.iter().map(|it| match it {
            Comes::Owned(ty) => quote!(#ty),
            Comes::Copied(ty) => quote!(&'arguments #ty),
        });
        let (item, pattern) = match &names[..] {
            [name] => (quote!(#(#each)*), quote!(#name)),
            _ => (quote!((#(#each),*)), quote!((#(#names),*))),
        };
        let lifetime = self.coming.iter().any(|it| matches!(it, Comes::Copied(_)));
        let lifetime = lifetime.then(|| quote!(<'arguments>));
        // Asked where it is called, and not of functions that are not warmed.
        let condition = self.coming.iter().filter_map(|it| match it {
            Comes::Owned(ty) => Some(quote!(for<'never> #ty: #krate::front::Leaves)),
            Comes::Copied(_) => None,
        });
        let place = Span::mixed_site();
        let (all, warming) = (Ident::new("all", place), Ident::new("warming", place));
        let (warm, build) = if expansion.function.is_async() {
            ("warm_carried", quote!(#cache::__start))
        } else {
            ("warm", quote!(#cache::__build))
        };
        let warm = Ident::new(warm, Span::call_site());
        let telling = expansion.telling(failure);
        let tags = expansion.tags();
        let tagged = tags.as_ref().map(|_| {
            let carried = expansion.tagged();
            quote!(.tagged(&#carried))
        });
        let one = quote! {
            #encode
            #tags
            let arguments = #krate::front::keep(#own);
        };
        let ask = quote!(#cached #tagged.#warm(&#key, #telling, arguments, #build, &#warming));
        let ask = located_at(expansion.place(), ask);
        let (input, each) = if names.is_empty() {
            (None, quote!({ #one #ask; }))
        } else {
            (
                Some(quote!(#all: impl ::core::iter::IntoIterator<Item = #item>)),
                quote!(for #pattern in #all { #one #ask; }),
            )
        };
        quote! {
            #[doc = #doc]
            #[allow(
                dead_code,
                clippy::needless_pass_by_value,
                clippy::type_complexity,
                clippy::used_underscore_binding
            )]
            #[track_caller]
            #vis fn #name #lifetime (#input) -> #krate::Warming
            where #(#condition),*
            {
                let #warming = #krate::Warming::begin();
                #each
                #warming.all()
            }
        }
    }
}

/// The attributes that say what the author wants to be warned of.
fn lints(attributes: &[Attribute]) -> Vec<TokenStream> {
    let names = ["allow", "warn", "deny", "forbid", "expect"];
    let lints = attributes
        .iter()
        .filter(|it| names.iter().any(|name| it.path().is_ident(name)));
    let mut all: Vec<_> = lints.map(ToTokens::to_token_stream).collect();
    if attributes.iter().any(|it| it.path().is_ident("expect")) {
        // What is expected happens in one of the two places.
        all.push(quote!(#[allow(unfulfilled_lint_expectations)]));
    }
    all
}

impl Expansion<'_> {
    /// What to say of a setting for which builds have to leave their calls, where they cannot.
    pub(crate) fn cannot_leave(&self) -> Option<Error> {
        let setting = self.settings.leaving.first();
        let setting = setting.or(self.settings.warm.as_ref())?;
        let (function, name) = (self.function, &self.name);
        let text = if self.settings.stays && function.is_async() {
            format!(
                "{setting} has builds of `{name}` made without a caller, but `carry = false` leaves each \
                 with its caller: leave one of the two out"
            )
        } else {
            let which = function.parameters.iter().find(|it| comes(it).is_none());
            let which = match which {
                Some(parameter) if function.place == Place::Free => {
                    let ty = &parameter.ty;
                    format!("an argument of type `{}`", quote!(#ty))
                }
                _ if function.receiver.is_some() => "`self`".to_owned(),
                _ => "a type parameter, a lifetime or `Self`".to_owned(),
            };
            format!(
                "{setting} has builds of `{name}` made without a caller, which {which} cannot leave: \
                 arguments must be `Clone + Send + Sync + 'static`. Cache a free function that takes each \
                 of them by value, an `Arc` say, or as a `&str`, a `&Path` or a slice of numbers"
            )
        };
        Some(Error::new(setting.span(), text))
    }
}
