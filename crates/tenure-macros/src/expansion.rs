//! A function on its way to what it becomes, and what is written in several places of that.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Error, Expr, Ident, Pat, Type};

use crate::attr::Settings;
use crate::key;
use crate::place::Place;
use crate::returns::Returns;
use crate::signature::{Function, Parameter};
use crate::tokens::{head, located_at, ungrouped};

pub(crate) struct Expansion<'a> {
    pub(crate) function: &'a Function,
    pub(crate) settings: &'a Settings,
    pub(crate) krate: TokenStream,
    pub(crate) key: Ident,
    pub(crate) name: Ident,
    /// What names the cache: the function's name, or another.
    pub(crate) cache: Ident,
}

impl Expansion<'_> {
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
        self.encode_with(None)
    }

    /// What makes the key of a call, and takes down in a list of this name what each argument wrote.
    pub(crate) fn encode_parts(&self, list: &Ident) -> TokenStream {
        let krate = &self.krate;
        let encode = self.encode_with(Some(list));
        quote! {
            let mut #list = ::std::vec::Vec::<#krate::front::Part<'static>>::new();
            #encode
        }
    }

    fn encode_with(&self, list: Option<&Ident>) -> TokenStream {
        let Self { krate, key, .. } = self;
        let mut written = TokenStream::new();
        for (name, part) in self.parts() {
            let told = list.filter(|_| !part.is_empty()).map(
                |list| quote!(#list.push(#krate::front::Part { name: #name, end: #key.len() });),
            );
            written.extend(quote!(#part #told));
        }
        if written.is_empty() {
            return quote!(let #key = #krate::front::KeyRef::EMPTY;);
        }
        let imports = key::imports(krate);
        quote! {
            let mut #key = #krate::front::Encoder::new();
            {
                #imports
                let #key = &mut #key;
                #written
            }
            let #key = #key.finish();
        }
    }

    /// The name of each argument, with what writes it into the key.
    fn parts(&self) -> Vec<(String, TokenStream)> {
        let Self {
            function,
            krate,
            key,
            ..
        } = self;
        let constants = function.const_parameters().map(|name| {
            let whole = key::Part::Whole.encode(krate, &quote!(#name), key, name);
            (name.unraw().to_string(), whole)
        });
        let receiver = function.receiver.iter().map(|(receiver, part)| {
            let this = &receiver.self_token;
            let part = part.encode(krate, &quote!(#this), key, this);
            ("self".to_owned(), part)
        });
        let parameters = function.parameters.iter().map(|parameter| {
            let (name, part) = (&parameter.name, &parameter.part);
            let part = part.encode(krate, &quote!(#name), key, &parameter.ty);
            (name.unraw().to_string(), part)
        });
        constants.chain(receiver).chain(parameters).collect()
    }

    /// What asks for the tags of a call, where calls have some: a statement that names them
    /// [`tagged`](Self::tagged).
    pub(crate) fn tags(&self) -> Option<TokenStream> {
        let tags = self.settings.tags.as_ref()?;
        if self.misfitting_tags().is_some() {
            return None;
        }
        let (krate, tagged) = (&self.krate, self.tagged());
        // What it returns is wrong where it stands.
        let ask = Span::mixed_site().located_at(tags.span());
        let ask = Ident::new("ask", ask);
        let given = self.function.parameters.iter().map(|parameter| {
            let name = &parameter.name;
            match ungrouped(&parameter.ty) {
                Type::Reference(it) if it.mutability.is_some() => quote!(&*#name),
                Type::Reference(_) => quote!(#name),
                _ => quote!(&#name),
            }
        });
        let types: Vec<_> = self.function.parameters.iter().map(told).collect();
        let tags = typed(tags, &types);
        let answer = quote_spanned!(tags.span()=> #ask(#(#given),*));
        Some(quote! {
            #[allow(clippy::redundant_closure_call, clippy::used_underscore_binding)]
            let #tagged = {
                let #ask = #tags;
                #krate::front::tags(#answer)
            };
        })
    }

    /// The name of the tags of a call.
    pub(crate) fn tagged(&self) -> Ident {
        Ident::new("tags", Span::mixed_site())
    }

    /// What to say of a closure for tags that does not take what the function takes.
    pub(crate) fn misfitting_tags(&self) -> Option<Error> {
        let Some(Expr::Closure(closure)) = &self.settings.tags else {
            return None;
        };
        let parameters = &self.function.parameters;
        if closure.inputs.len() == parameters.len() {
            return None;
        }
        let names: Vec<_> = parameters.iter().map(|it| it.name.to_string()).collect();
        let text = format!(
            "the closure of `tags` takes the arguments of `{}`, each by reference: write \
             `tags = |{}| [...]`",
            self.name,
            names.join(", ")
        );
        let (or1, or2) = (closure.or1_token, closure.or2_token);
        let inputs = &closure.inputs;
        Some(Error::new_spanned(quote!(#or1 #inputs #or2), text))
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
            let place = head(parameter.ty.to_token_stream());
            let shown = parameter.part.shown(krate, &quote!(#name), &parameter.ty);
            located_at(place, quote!((#text, &#shown)))
        });
        let shown = numbers.chain(receiver).chain(parameters);
        Some(quote!(#krate::front::shown(&[#(#shown),*])))
    }

    /// How a failure is told.
    pub(crate) fn telling(&self, failure: &TokenStream) -> TokenStream {
        let krate = &self.krate;
        quote! {{
            #[allow(unused_imports)]
            use #krate::front::{TellingNothing as _, TellingOwn as _};
            #krate::front::Probe::<#failure>(::core::marker::PhantomData).telling()
        }}
    }

    pub(crate) fn family_name(&self) -> Ident {
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
        let written = head(self.function.returns.value.clone());
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
        located_at(self.place(), kept)
    }

    pub(crate) fn made_name(&self) -> Ident {
        match self.function.place {
            Place::Free => format_ident!("__made"),
            Place::Associated => format_ident!("__{}_made", self.cache),
        }
    }
}

/// The type that the closure for tags has for a parameter, where it can be written.
fn told(parameter: &Parameter) -> TokenStream {
    let ty = ungrouped(&parameter.ty);
    match ty {
        _ if parameter.opaque => quote!(_),
        Type::Reference(it) if it.mutability.is_some() => {
            let to = &it.elem;
            quote!(&#to)
        }
        Type::Reference(_) => quote!(#ty),
        _ => quote!(&#ty),
    }
}

/// A closure with the types of its parameters, so that its body can be checked where it stands.
pub(crate) fn typed(function: &Expr, parameters: &[TokenStream]) -> TokenStream {
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

pub(crate) fn is_typed(pattern: &Pat) -> bool {
    matches!(pattern, Pat::Type(_))
}
