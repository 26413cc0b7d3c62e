//! What a cached function returns, before and after.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{Error, GenericArgument, PathArguments, ReturnType, Type, TypeImplTrait};

/// The types that a return type means.
pub(crate) struct Returns {
    /// As it is written.
    pub(crate) written: TokenStream,
    /// The resource.
    pub(crate) value: TokenStream,
    /// The failure, where there may be one.
    pub(crate) failure: Option<TokenStream>,
    /// The `Result` as it is written, up to its arguments: the alias is kept where it has none.
    span: proc_macro2::Span,
}

impl Returns {
    pub(crate) fn read(output: &ReturnType, krate: &TokenStream) -> syn::Result<Self> {
        let ty = match output {
            ReturnType::Default => {
                return Ok(Self {
                    written: quote!(()),
                    value: quote!(()),
                    failure: None,
                    span: output.span(),
                });
            }
            ReturnType::Type(_, ty) => &**ty,
        };
        refuse(ty)?;
        let (value, failure) = parts(ty, krate);
        Ok(Self {
            written: quote!(#ty),
            value,
            failure,
            span: ty.span(),
        })
    }

    /// What a call returns.
    pub(crate) fn leased(&self, krate: &TokenStream) -> TokenStream {
        let value = &self.value;
        match &self.failure {
            None => quote_spanned!(self.span=> #krate::Lease<#value>),
            Some(failure) => quote_spanned!(self.span=>
                ::core::result::Result<#krate::Lease<#value>, #krate::Shared<#failure>>
            ),
        }
    }

    /// What is shared with those who wait.
    pub(crate) fn shared(&self, krate: &TokenStream) -> TokenStream {
        match &self.failure {
            None => quote!(::core::convert::Infallible),
            Some(failure) => quote!(#krate::front::Failed<#failure>),
        }
    }
}

/// The resource and the failure of a return type. `Result` is known by its name, and an alias of
/// it, whose failure is not to be seen, by its one argument.
fn parts(ty: &Type, krate: &TokenStream) -> (TokenStream, Option<TokenStream>) {
    let plain = || (quote!(#ty), None);
    let Type::Path(path) = ty else {
        return plain();
    };
    let Some(last) = path.path.segments.last() else {
        return plain();
    };
    if last.ident != "Result" {
        return plain();
    }
    let outcome = |side: TokenStream| quote!(<#ty as #krate::front::Outcome>::#side);
    let arguments: Vec<&Type> = match &last.arguments {
        PathArguments::AngleBracketed(arguments) => {
            let types = arguments.args.iter().filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            });
            types.collect()
        }
        _ => Vec::new(),
    };
    match arguments[..] {
        [] => (outcome(quote!(Value)), Some(outcome(quote!(Error)))),
        [value] => (quote!(#value), Some(outcome(quote!(Error)))),
        [value, failure, ..] => (quote!(#value), Some(quote!(#failure))),
    }
}

/// What cannot be kept.
fn refuse(ty: &Type) -> syn::Result<()> {
    if let Type::Reference(reference) = ty {
        let is_static = reference
            .lifetime
            .as_ref()
            .is_some_and(|it| it.ident == "static");
        if !is_static {
            let text = "a cached function gives its resource away: return it by value. Callers \
                        get a `Lease` of it, which they can use like a reference";
            return Err(Error::new_spanned(ty, text));
        }
    }
    struct Opaque(Option<Error>);
    impl<'ast> Visit<'ast> for Opaque {
        fn visit_type_impl_trait(&mut self, ty: &'ast TypeImplTrait) {
            let text = "a cached function must name the type of its resource. Name it, or return \
                        a `Box<dyn …>`";
            self.0.get_or_insert_with(|| Error::new_spanned(ty, text));
        }
    }
    let mut opaque = Opaque(None);
    opaque.visit_type(ty);
    opaque.0.map_or(Ok(()), Err)
}
