//! What a cached function becomes.
//!
//! | Where it stands | What stands beside it (`beside.rs`) |
//! |---|---|
//! | free | `enum name {}` with `clear`, `info` and so on: types and functions have names of their own |
//! | in an `impl` | `name_clear`, `name_info` and so on |
//!
//! `cache = other` puts another name in the place of `name`.
//!
//! What has bounds stands in the function itself, and nowhere beside it: where a return type cannot
//! be kept, its body says so once, on the type, and `front/refused.rs` keeps the rest quiet.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Expr, Ident, LitStr, Pat};

use crate::attr::{Settings, Weight};
use crate::beside::Beside;
use crate::carry::{Leaving, Parts};
use crate::expansion::Expansion;
use crate::place::Place;
use crate::returns::Returns;
use crate::signature::{Function, Parameter};

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
    let misplaced = function.misplaced.iter().map(|it| it.error.clone());
    let stays = match Leaving::of(&expansion) {
        None if function.misplaced.is_none() => expansion.cannot_leave(),
        _ => None,
    };
    let errors = misplaced.chain(stays).map(|error| error.to_compile_error());
    quote!(#(#errors)* #expanded)
}

impl Expansion<'_> {
    fn free(&self) -> TokenStream {
        let Self { name, cache, .. } = self;
        let vis = &self.function.item.vis;
        let doc = format!("The cache of [`{name}()`]({name}()).");
        let leaving = Leaving::of(self);
        let call = self.call(leaving.as_ref());
        let (made, holder) = (self.made(), self.holder());
        let builds = leaving.as_ref().map(|it| it.beside(&self.body()));
        let beside = Beside::of(self).all(leaving.as_ref());
        quote! {
            #call

            #[doc = #doc]
            #[allow(non_camel_case_types, clippy::empty_enum, clippy::empty_enums)]
            #vis enum #cache {}

            impl #cache {
                #holder
                #made
                #builds
                #beside
            }
        }
    }

    fn associated(&self) -> TokenStream {
        let (call, made, holder) = (self.call(None), self.made(), self.holder());
        let beside = Beside::of(self).all(None);
        quote!(#call #holder #made #beside)
    }

    /// The author's block, over the names of the parameters.
    fn body(&self) -> TokenStream {
        let block = &self.function.item.block;
        let rebind = self.function.parameters.iter();
        let rebind = rebind.filter_map(Parameter::rebind);
        let statements = &block.stmts;
        quote_spanned!(block.brace_token.span.join()=> { #(#rebind)* #(#statements)* })
    }

    /// The function that takes the place of the one that was written.
    fn call(&self, leaving: Option<&Leaving<'_>>) -> TokenStream {
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
        let block = &function.item.block;
        let source = self.source(failure);
        let is_async = function.is_async();
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
        let cache = &self.cache;
        let names = function.parameters.iter().map(|it| &it.name);
        let body = match leaving {
            Some(_) if !is_async => quote!({ #cache::__body(#(#names),*) }),
            _ => self.body(),
        };
        let build = if is_async {
            // The annotation that a closure has in front, an async block has inside.
            quote_spanned!(span=> #krate::front::future::<#written, _>(async move #body))
        } else {
            quote_spanned!(span=> move || -> #written #body)
        };
        // Made by the build, which is given the arguments: a hit does not need the text.
        let build = match (self.arguments(), is_async) {
            (None, _) => build,
            (Some(arguments), true) => quote! {
                async move {
                    let arguments = #arguments;
                    #krate::front::Built::of_async(arguments, #build).await
                }
            },
            (Some(arguments), false) => quote! {
                move || #krate::front::Built::of(#arguments, #build)
            },
        };
        let parts = leaving.and_then(Leaving::parts).unwrap_or(Parts {
            before: TokenStream::new(),
            method: if is_async { "call_async" } else { "call" },
            parts: build,
        });
        let Parts {
            before,
            method,
            parts: build,
        } = parts;
        let call = Ident::new(method, self.place());
        let leaves = leaving.map(Leaving::asked);
        quote! {
            #(#attributes)*
            #tracks
            // The author wrote a simple type; the lease and the carrier of failures are ours.
            #[allow(clippy::type_complexity)]
            #vis #asyncness fn #ident #generics (#(#inputs),*) -> #output #condition {
                #(#warnings)*
                #leaves
                #asked
                #encode
                #bind
                #quick
                #before
                #local.#call(&#key, #source, #check #build) #finish
            }
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

    /// The cache's definition, which whoever calls first makes it of.
    fn made(&self) -> TokenStream {
        let krate = &self.krate;
        let made = self.made_name();
        let name = LitStr::new(&self.name.to_string(), self.name.span());
        let calls = &self.settings.calls;
        let value = &self.function.returns.value;
        let generics = self.function.generics();
        let condition = &generics.where_clause;
        let validate = self.settings.validate.as_ref().map(|validate| {
            if self.function.is_async() {
                return quote!(.validate_async());
            }
            quote_spanned!(validate.span()=> .validate(#validate))
        });
        let keep_if = self.settings.keep_if.as_ref();
        let keep_if = keep_if.map(|keep_if| quote_spanned!(keep_if.span()=> .keep_if(#keep_if)));
        let weight = self.settings.weight.as_ref().map(|weight| match weight {
            Weight::Number(number) => {
                quote_spanned!(number.span()=> .weight(|_: &#value| -> u64 { #number }))
            }
            Weight::Of(weight) => {
                let weight = typed(weight, &[quote!(&#value)]);
                quote_spanned!(weight.span()=> .weight(#weight))
            }
        });
        let own_ttl = self.settings.own_ttl.as_ref().map(|ttl| {
            let ttl = typed(ttl, &[quote!(&#value)]);
            quote_spanned!(ttl.span()=> .own_ttl(#ttl))
        });
        let lives = self.settings.lives.as_ref().map(
            |ttl| quote_spanned!(ttl.span()=> .lives(#krate::front::ttl::<#value, _, _>(#ttl))),
        );
        let release = self.settings.on_release.as_ref().map(|release| {
            let release = typed(release, &[value.clone(), quote!(#krate::Cause)]);
            quote_spanned!(release.span()=> .release({
                let release = #release;
                move |value, cause| {
                    #[allow(unused_imports)]
                    use #krate::front::{DoneLater as _, DoneWrong as _};
                    #krate::front::Done(
                        #krate::front::give::<#value, _, _>(&release, value, cause)
                    )
                    .settled()
                }
            }))
        });
        quote! {
            #[doc(hidden)]
            #[allow(
                clippy::extra_unused_lifetimes,
                clippy::extra_unused_type_parameters,
                clippy::type_complexity
            )]
            fn #made #generics () -> #krate::front::Definition<#value> #condition {
                #krate::front::Definition::new(
                    #name,
                    <#krate::Settings as ::core::default::Default>::default() #(#calls)*,
                    #krate::front::Rules::<#value>::new()
                        .within(::core::module_path!())
                        #own_ttl #lives #weight #validate #keep_if #release,
                )
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

/// A closure with the types of its parameters, so that its body can be checked where it stands.
fn typed(function: &Expr, parameters: &[TokenStream]) -> TokenStream {
    let Expr::Closure(closure) = function else {
        return quote!(#function);
    };
    let mut closure = closure.clone();
    for (pattern, ty) in closure.inputs.iter_mut().zip(parameters) {
        if !is_typed(pattern) {
            *pattern = Pat::Verbatim(quote!(#pattern: #ty));
        }
    }
    quote!(#closure)
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
