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
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, Ident, LitStr, Pat};

use crate::attr::Settings;
use crate::beside::Beside;
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

pub(crate) struct Expansion<'a> {
    pub(crate) function: &'a Function,
    settings: &'a Settings,
    pub(crate) krate: TokenStream,
    pub(crate) key: Ident,
    pub(crate) name: Ident,
    /// What names the cache: the function's name, or another.
    pub(crate) cache: Ident,
}

impl Expansion<'_> {
    fn free(&self) -> TokenStream {
        let Self { name, cache, .. } = self;
        let vis = &self.function.item.vis;
        let doc = format!("The cache of [`{name}()`]({name}()).");
        let (call, made, holder) = (self.call(), self.made(), self.holder());
        let beside = Beside::of(self).all();
        quote! {
            #call

            #[doc = #doc]
            #[allow(non_camel_case_types, clippy::empty_enum, clippy::empty_enums)]
            #vis enum #cache {}

            impl #cache {
                #holder
                #made
                #beside
            }
        }
    }

    fn associated(&self) -> TokenStream {
        let (call, made, holder) = (self.call(), self.made(), self.holder());
        let beside = Beside::of(self).all();
        quote!(#call #holder #made #beside)
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

    pub(crate) fn inputs(&self) -> Vec<TokenStream> {
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
    pub(crate) fn encode(&self) -> TokenStream {
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

    /// The arguments that count, as text, where they are to be shown.
    pub(crate) fn arguments(&self) -> Option<TokenStream> {
        if !self.settings.show_arguments {
            return None;
        }
        let (function, krate) = (self.function, &self.krate);
        let numbers = function.const_parameters().map(|name| {
            let text = name.to_string();
            quote!((#text, &#name))
        });
        let receiver = function.receiver.iter().filter(|it| it.1.counts());
        let receiver = receiver.map(|(receiver, part)| {
            let this = &receiver.self_token;
            let shown = part.shown(krate, &quote!(#this), this);
            quote_spanned!(this.span()=> ("self", &#shown))
        });
        let parameters = function.parameters.iter().filter(|it| it.part.counts());
        let parameters = parameters.map(|parameter| {
            let name = &parameter.name;
            let text = match &parameter.pattern {
                None => name.unraw().to_string(),
                Some(Pat::Ident(named)) => named.ident.unraw().to_string(),
                Some(_) => String::new(),
            };
            let place = key::head(parameter.ty.to_token_stream());
            let shown = parameter.part.shown(krate, &quote!(#name), &parameter.ty);
            key::located_at(place, quote!((#text, &#shown)))
        });
        let shown = numbers.chain(receiver).chain(parameters);
        Some(quote!(#krate::front::shown(&[#(#shown),*])))
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

    pub(crate) fn family(&self) -> TokenStream {
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
    pub(crate) fn owner(&self) -> TokenStream {
        let krate = &self.krate;
        let owner = match self.function.place {
            Place::Free => quote!(()),
            Place::Associated => quote!(Self),
        };
        quote!(#krate::front::Types::<#owner>(::core::marker::PhantomData).id())
    }

    /// Where the resource is written, for what is ours.
    pub(crate) fn place(&self) -> Span {
        let written = key::head(self.function.returns.value.clone());
        Span::call_site().located_at(written)
    }

    /// Where the cache of a call is, if there was one.
    pub(crate) fn entry(&self) -> TokenStream {
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
    pub(crate) fn cached(&self) -> TokenStream {
        let entry = self.entry();
        let made = match self.function.place {
            Place::Free => {
                let cache = &self.cache;
                quote!(#cache::__made)
            }
            Place::Associated => {
                let made = self.made_name();
                quote!(Self::#made)
            }
        };
        let named = self.function.named_parameters();
        let types = (!named.is_empty()).then(|| quote!(::<#(#named),*>));
        self.kept(&quote!(#entry.get(#made #types)))
    }

    /// What is to be a cache, or stands in for one.
    pub(crate) fn kept(&self, cached: &TokenStream) -> TokenStream {
        let krate = &self.krate;
        let kept = quote! {{
            #[allow(unused_imports)]
            use #krate::front::NotKept as _;
            #cached
        }};
        // What it asks of the resource is asked where that stands.
        key::located_at(self.place(), kept)
    }

    fn made_name(&self) -> Ident {
        match self.function.place {
            Place::Free => format_ident!("__made"),
            Place::Associated => format_ident!("__{}_made", self.cache),
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
                    #krate::front::Rules::<#value>::new() #validate #keep_if #release,
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
