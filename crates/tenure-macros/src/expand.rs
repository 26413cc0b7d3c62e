//! What a cached function becomes.
//!
//! | Where it stands | What stands beside it |
//! |---|---|
//! | free | `enum name {}` with `clear`, `clear_entry`, `info`: types and functions have names of their own |
//! | in an `impl` | `name_clear`, `name_clear_entry`, `name_info` |
//!
//! `cache = other` puts another name in the place of `name`.
//!
//! What has bounds stands in the function itself, and nowhere beside it: where a return type cannot
//! be kept, its body says so once, on the type, and `front/refused.rs` keeps the rest quiet.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Expr, Ident, LitStr, Pat};

use crate::attr::Settings;
use crate::key;
use crate::returns::Returns;
use crate::signature::{Function, Parameter, Place};

pub(crate) fn expand(function: &Function, settings: &Settings) -> TokenStream {
    let wanted = function.misplaced.as_ref().and_then(|it| it.cache.clone());
    let cache = settings.cache.clone().or(wanted);
    let expansion = Expansion {
        function,
        settings,
        krate: settings.krate(),
        key: Ident::new("key", Span::mixed_site()),
        name: function.item.sig.ident.clone(),
        cache: cache.unwrap_or_else(|| function.item.sig.ident.clone()),
    };
    let expanded = match function.place {
        Place::Free => expansion.free(),
        Place::Associated => expansion.associated(),
    };
    let misplaced = function.misplaced.iter();
    let error = misplaced.map(|misplaced| misplaced.error.to_compile_error());
    quote!(#(#error)* #expanded)
}

struct Expansion<'a> {
    function: &'a Function,
    settings: &'a Settings,
    krate: TokenStream,
    key: Ident,
    name: Ident,
    /// What names the cache: the function's name, or another.
    cache: Ident,
}

impl Expansion<'_> {
    fn free(&self) -> TokenStream {
        let Self {
            krate, name, cache, ..
        } = self;
        let vis = &self.function.item.vis;
        let doc = format!("The cache of [`{name}()`]({name}()).");
        let docs = Docs::of(name, "", "");
        let call = self.call();
        let holder = self.holder();
        let clear_entry = self.clear_entry(&format_ident!("clear_entry"), &docs.clear_entry);
        let (clear, info) = if self.function.is_family() {
            let owner = self.owner();
            (
                quote!(Self::__family().clear(#owner)),
                quote!(Self::__family().info(#owner)),
            )
        } else {
            (
                quote!(Self::__slot().clear()),
                quote!(Self::__slot().info()),
            )
        };
        let Docs {
            clear: clear_doc,
            info: info_doc,
            ..
        } = docs;
        quote! {
            #call

            #[doc = #doc]
            #[allow(non_camel_case_types, clippy::empty_enum, clippy::empty_enums)]
            #vis enum #cache {}

            #[allow(dead_code)]
            impl #cache {
                #holder

                #[doc = #clear_doc]
                #[track_caller]
                #vis fn clear() {
                    #clear
                }

                #clear_entry

                #[doc = #info_doc]
                #[must_use]
                #vis fn info() -> #krate::Info {
                    #info
                }
            }
        }
    }

    fn associated(&self) -> TokenStream {
        let Self {
            krate, name, cache, ..
        } = self;
        let vis = &self.function.item.vis;
        let (clear, clear_entry, info) = (
            format_ident!("{cache}_clear"),
            format_ident!("{cache}_clear_entry"),
            format_ident!("{cache}_info"),
        );
        let docs = Docs::of(name, "Self::", " of this type");
        let call = self.call();
        let holder = self.holder();
        let clear_entry = self.clear_entry(&clear_entry, &docs.clear_entry);
        let (family, owner) = (self.family(), self.owner());
        let Docs {
            clear: clear_doc,
            info: info_doc,
            ..
        } = docs;
        quote! {
            #call

            #holder

            #[doc = #clear_doc]
            #[allow(dead_code)]
            #[track_caller]
            #vis fn #clear() {
                #family.clear(#owner)
            }

            #clear_entry

            #[doc = #info_doc]
            #[allow(dead_code)]
            #[must_use]
            #vis fn #info() -> #krate::Info {
                #family.info(#owner)
            }
        }
    }

    /// The function that takes the place of the one that was written.
    fn call(&self) -> TokenStream {
        let Self {
            function,
            krate,
            key,
            ..
        } = self;
        let sig = &function.item.sig;
        let (vis, attributes) = (&function.item.vis, &function.item.attrs);
        let (asyncness, ident, generics) = (&sig.asyncness, &sig.ident, &sig.generics);
        let (inputs, condition) = (self.inputs(), &sig.generics.where_clause);
        let Returns {
            written,
            failure,
            leased: output,
            check: asked,
            ..
        } = &function.returns;
        let encode = self.encode();
        let cached = self.cached();
        let warnings = &self.settings.warnings;
        let rebind = function.parameters.iter().filter_map(Parameter::rebind);
        let block = &function.item.block;
        let statements = &block.stmts;
        let source = quote! {{
            #[allow(unused_imports)]
            use #krate::front::NoSource as _;
            #krate::front::Probe::<#failure>(::core::marker::PhantomData).source()
        }};
        let is_async = function.is_async();
        let call = if is_async { "call_async" } else { "call" };
        let call = Ident::new(call, self.place());
        let check = is_async.then(|| self.check());
        let finish = is_async.then(|| quote!(.await));
        let local = Span::mixed_site().located_at(self.place());
        let local = Ident::new("cached", local);
        let bind = quote_spanned!(self.place()=> let #local = #cached;);
        // A hit makes no future of the build.
        let quick = is_async.then(|| {
            let hit = Ident::new("hit", Span::mixed_site());
            quote! {
                if let ::core::option::Option::Some(#hit) = #local.hit(&#key) {
                    return #hit;
                }
            }
        });
        // A panic for a cycle or a missing session is the caller's; a future has no one caller.
        let tracks = !is_async && !attributes.iter().any(is_track_caller);
        let tracks = tracks.then(|| quote!(#[track_caller]));
        let span = block.brace_token.span.join();
        let body = quote_spanned!(span=> { #(#rebind)* #(#statements)* });
        let build = if is_async {
            // The annotation that a closure has in front, an async block has inside.
            quote_spanned!(span=> #krate::front::future::<#written, _>(async move #body))
        } else {
            quote_spanned!(span=> move || -> #written #body)
        };
        quote! {
            #(#attributes)*
            #tracks
            // The author wrote a simple type; the lease and the carrier of failures are ours.
            #[allow(clippy::type_complexity)]
            #vis #asyncness fn #ident #generics (#(#inputs),*) -> #output #condition {
                #(#warnings)*
                #asked
                #encode
                #bind
                #quick
                #local.#call(&#key, #source, #check #build) #finish
            }
        }
    }

    fn clear_entry(&self, name: &Ident, doc: &str) -> TokenStream {
        let Self { function, key, .. } = self;
        let vis = &function.item.vis;
        let generics = function.generics();
        let condition = &generics.where_clause;
        let inputs = self.inputs();
        let encode = self.encode();
        let entry = self.entry();
        quote! {
            #[doc = #doc]
            #[allow(dead_code, unused_variables, clippy::needless_pass_by_value)]
            #[track_caller]
            #vis fn #name #generics (#(#inputs),*) #condition {
                #encode
                #entry.clear_entry(&#key);
            }
        }
    }

    fn inputs(&self) -> Vec<TokenStream> {
        let receiver = self.function.receiver.iter();
        let receiver = receiver.map(|(receiver, _)| receiver.to_token_stream());
        let parameters = self.function.parameters.iter().map(|parameter| {
            let Parameter {
                name,
                ty,
                attributes,
                ..
            } = parameter;
            quote!(#(#attributes)* #name: #ty)
        });
        receiver.chain(parameters).collect()
    }

    /// What makes the key of a call.
    fn encode(&self) -> TokenStream {
        let Self {
            function,
            krate,
            key,
            ..
        } = self;
        let mut parts = TokenStream::new();
        for name in function.const_parameters() {
            parts.extend(key::Part::Whole.encode(krate, &quote!(#name), key, name));
        }
        if let Some((receiver, part)) = &function.receiver {
            let this = &receiver.self_token;
            parts.extend(part.encode(krate, &quote!(#this), key, this));
        }
        for parameter in &function.parameters {
            let name = &parameter.name;
            parts.extend(
                parameter
                    .part
                    .encode(krate, &quote!(#name), key, &parameter.ty),
            );
        }
        if parts.is_empty() {
            return quote!(let #key = #krate::front::KeyRef::EMPTY;);
        }
        let imports = key::imports(krate);
        quote! {
            let mut #key = #krate::front::Encoder::new();
            {
                #imports
                let #key = &mut #key;
                #parts
            }
            let #key = #key.finish();
        }
    }

    /// Where the cache is kept.
    fn holder(&self) -> TokenStream {
        let krate = &self.krate;
        if self.function.is_family() {
            let family = match self.function.place {
                Place::Free => format_ident!("__family"),
                Place::Associated => self.family_name(),
            };
            return quote! {
                #[doc(hidden)]
                fn #family() -> &'static #krate::front::Family {
                    static FAMILY: #krate::front::Family = #krate::front::Family::new();
                    &FAMILY
                }
            };
        }
        let Returns { value, shared, .. } = &self.function.returns;
        quote! {
            #[doc(hidden)]
            #[allow(clippy::type_complexity)]
            #[inline]
            fn __slot() -> &'static #krate::front::Slot<#value, #shared> {
                static SLOT: #krate::front::Slot<#value, #shared> = #krate::front::Slot::new();
                &SLOT
            }
        }
    }

    fn family_name(&self) -> Ident {
        format_ident!("__{}_family", self.cache)
    }

    fn family(&self) -> TokenStream {
        let cache = &self.cache;
        match self.function.place {
            Place::Free => quote!(#cache::__family()),
            Place::Associated => {
                let family = self.family_name();
                quote!(Self::#family())
            }
        }
    }

    /// The type that the function belongs to.
    fn owner(&self) -> TokenStream {
        let krate = &self.krate;
        let owner = match self.function.place {
            Place::Free => quote!(()),
            Place::Associated => quote!(Self),
        };
        quote!(#krate::front::Types::<#owner>(::core::marker::PhantomData).id())
    }

    /// Where the resource is written, for what is ours.
    fn place(&self) -> Span {
        let written = key::head(self.function.returns.value.clone());
        Span::call_site().located_at(written)
    }

    /// Where the cache of a call is, if there was one.
    fn entry(&self) -> TokenStream {
        let (krate, cache) = (&self.krate, &self.cache);
        if !self.function.is_family() {
            return quote!(#cache::__slot());
        }
        let Returns { value, shared, .. } = &self.function.returns;
        let (family, owner) = (self.family(), self.owner());
        let types = self.function.type_parameters();
        let opaque = self.function.parameters.iter().filter(|it| it.opaque);
        let opaque = opaque.map(|it| &it.name);
        quote! {
            #family.member::<#value, #shared>(
                #owner,
                #krate::front::Types::<(#(::core::marker::PhantomData<#types>,)*)>(
                    ::core::marker::PhantomData
                )
                #(.and(&#opaque))*
                .id(),
            )
        }
    }

    /// The cache of a call.
    fn cached(&self) -> TokenStream {
        let (krate, entry, make) = (&self.krate, self.entry(), self.make());
        // What it asks of the resource is asked where that stands.
        quote_spanned! {self.place()=> {
            #[allow(unused_imports)]
            use #krate::front::NotKept as _;
            #entry.get(#make)
        }}
    }

    /// What makes the cache at the first call.
    fn make(&self) -> TokenStream {
        let krate = &self.krate;
        let name = LitStr::new(&self.name.to_string(), self.name.span());
        let fields = &self.settings.fields;
        let value = &self.function.returns.value;
        let validate = self.settings.validate.as_ref().map(|validate| {
            if self.function.is_async() {
                return quote!(.validate_async());
            }
            quote_spanned!(validate.span()=> .validate(#validate))
        });
        let release = self.settings.on_release.as_ref().map(|release| {
            let release = typed(release, value);
            quote_spanned!(release.span()=> .release({
                let release = #release;
                move |value| {
                    #[allow(unused_imports)]
                    use #krate::front::{DoneLater as _, DoneWrong as _};
                    #krate::front::Done(#krate::front::give::<#value, _>(&release, value)).settled()
                }
            }))
        });
        quote! {
            || {
                #[allow(clippy::needless_update)]
                #krate::front::Definition {
                    #(#fields,)*
                    ..#krate::front::Definition::new(#name)
                }
                .with(#krate::front::Rules::<#value>::new() #validate #release)
            }
        }
    }

    /// The check that an async call brings along.
    fn check(&self) -> TokenStream {
        let krate = &self.krate;
        let value = &self.function.returns.value;
        match &self.settings.validate {
            None => quote!(|_| ::core::future::ready(true),),
            // A closure's body becomes the body of the future, so that the future is `Send` where
            // what the body does is.
            Some(Expr::Closure(closure)) if closure.inputs.len() == 1 => {
                let lease = Ident::new("lease", Span::mixed_site());
                let (pattern, body) = (&closure.inputs[0], &closure.body);
                let pattern = if is_typed(pattern) {
                    quote!(#pattern)
                } else {
                    quote!(#pattern: &#value)
                };
                quote_spanned!(closure.span()=> |#lease: #krate::Lease<#value>| async move {
                    let #pattern = &*#lease;
                    #body
                },)
            }
            Some(validate) => {
                quote_spanned!(validate.span()=> |lease: #krate::Lease<#value>| async move {
                    #[allow(unused_imports)]
                    use #krate::front::{SaidLater as _, SaidWrong as _};
                    #krate::front::Said((#validate)(&*lease)).verdict().await
                },)
            }
        }
    }
}

/// A closure with the type of its parameter, so that its body can be checked where it stands.
fn typed(function: &Expr, parameter: &TokenStream) -> TokenStream {
    match function {
        Expr::Closure(closure) if matches!(closure.inputs.first(), Some(it) if !is_typed(it)) => {
            let mut closure = closure.clone();
            let pattern = &closure.inputs[0];
            closure.inputs[0] = Pat::Verbatim(quote!(#pattern: #parameter));
            quote!(#closure)
        }
        function => quote!(#function),
    }
}

fn is_track_caller(attribute: &Attribute) -> bool {
    attribute.path().is_ident("track_caller")
}

fn is_typed(pattern: &Pat) -> bool {
    matches!(pattern, Pat::Type(_))
}

impl Parameter {
    fn rebind(&self) -> Option<TokenStream> {
        let (pattern, name) = (self.pattern.as_ref()?, &self.name);
        Some(quote!(let #pattern = #name;))
    }
}

/// What the functions beside a cached one say of themselves.
struct Docs {
    clear: String,
    clear_entry: String,
    info: String,
}

impl Docs {
    fn of(name: &Ident, path: &str, whose: &str) -> Self {
        let function = format!("[`{name}()`]({path}{name}())");
        let panics = "\n\n# Panics\n\
             Where the function has `scope = \"session\"` and this code runs in no session.";
        Self {
            clear: format!("Clears every entry of {function}{whose}.{panics}"),
            clear_entry: format!(
                "Clears the entry of {function} for these arguments, if there is one.{panics}"
            ),
            info: format!("The figures of {function}{whose}."),
        }
    }
}
