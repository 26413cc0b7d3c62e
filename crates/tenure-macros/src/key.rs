//! `#[key(…)]`, on parameters, fields and types.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, Ident, Path, Token, Type, TypeReference};

use crate::attr;
use crate::tokens::{head, located_at};

/// How a parameter or a field becomes a part of the key.
#[derive(Default)]
pub(crate) enum Part {
    /// As it is.
    #[default]
    Whole,
    /// Not at all.
    Skipped,
    /// As what this makes of it.
    With(Box<Expr>),
}

/// Takes the `#[key(…)]` attributes out of a list, and reads them.
pub(crate) fn take(attributes: &mut Vec<Attribute>) -> syn::Result<Part> {
    let mut part = Part::default();
    for attribute in attributes.extract_if(.., |attribute| attribute.path().is_ident("key")) {
        read(&attribute, |name, value| {
            if !matches!(part, Part::Whole) {
                return Err(Error::new(
                    name.span(),
                    "there is one `skip` or `with` for each; leave the others out",
                ));
            }
            part = match (name.to_string().as_str(), value) {
                ("skip", None) => Part::Skipped,
                ("with", Some(function)) => Part::With(Box::new(function)),
                _ => {
                    let text = "write `#[key(skip)]`, or `#[key(with = path)]`";
                    return Err(Error::new(name.span(), text));
                }
            };
            Ok(())
        })?;
    }
    Ok(part)
}

/// Reads the `#[key(crate = …)]` of a type.
pub(crate) fn krate(attributes: &[Attribute]) -> syn::Result<Option<Path>> {
    let mut krate = None;
    for attribute in attributes.iter().filter(|it| it.path().is_ident("key")) {
        read(attribute, |name, value| match value {
            Some(value) if name == "crate" => {
                krate = Some(attr::path(&value)?);
                Ok(())
            }
            _ => {
                let text = "on a type, only `#[key(crate = path)]` has a meaning; `skip` and `with` \
                            go on a field";
                Err(Error::new(name.span(), text))
            }
        })?;
    }
    Ok(krate)
}

fn read(
    attribute: &Attribute,
    mut take: impl FnMut(&Ident, Option<Expr>) -> syn::Result<()>,
) -> syn::Result<()> {
    attribute.parse_args_with(|input: syn::parse::ParseStream<'_>| {
        loop {
            let name = input.call(Ident::parse_any)?;
            let value = if input.peek(Token![=]) {
                input.parse::<Token![=]>()?;
                Some(input.parse()?)
            } else {
                None
            };
            take(&name, value)?;
            if input.is_empty() {
                return Ok(());
            }
            input.parse::<Token![,]>()?;
        }
    })
}

impl Part {
    /// Whether it is a part of the key at all.
    pub(crate) fn counts(&self) -> bool {
        !matches!(self, Self::Skipped)
    }

    /// What of `value`, a place of type `ty`, is in the key, for people to read.
    pub(crate) fn shown(
        &self,
        krate: &TokenStream,
        value: &TokenStream,
        ty: &impl ToTokens,
    ) -> TokenStream {
        match self {
            Self::With(function) => made_of(function, krate, value, ty),
            Self::Whole | Self::Skipped => value.clone(),
        }
    }

    /// What writes `value`, a place of type `ty`, into `key`.
    pub(crate) fn encode(
        &self,
        krate: &TokenStream,
        value: &TokenStream,
        key: &Ident,
        ty: &impl ToTokens,
    ) -> TokenStream {
        match self {
            Self::Skipped => TokenStream::new(),
            Self::Whole => {
                let encode = quote!((&&#krate::front::Arg(&#value)).encode(&mut *#key););
                located_at(head(ty.to_token_stream()), encode)
            }
            Self::With(function) => {
                let part = made_of(function, krate, value, ty);
                let encode = quote!((&&#krate::front::Arg(&#part)).encode(&mut *#key););
                located_at(function.span(), encode)
            }
        }
    }
}

/// What a function makes of `value`, a place of type `ty`.
fn made_of(
    function: &Expr,
    krate: &TokenStream,
    value: &TokenStream,
    ty: &impl ToTokens,
) -> TokenStream {
    // What is a reference already is passed on as it is.
    let is_reference = matches!(
        syn::parse2(ty.to_token_stream()),
        Ok(Type::Reference(TypeReference { .. }))
    );
    let value = if is_reference {
        quote!(&*#value)
    } else {
        quote!(&#value)
    };
    quote!(#krate::front::with(#value, #function))
}

/// What the encoding of any part needs in scope.
pub(crate) fn imports(krate: &TokenStream) -> TokenStream {
    quote! {
        #[allow(unused_imports)]
        use #krate::front::{ByHash as _, ByKey as _, ByNothing as _};
    }
}
