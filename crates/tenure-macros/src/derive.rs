//! `#[derive(CacheKey)]`.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Ident, parse_quote};

use crate::key;

pub(crate) fn expand(item: &DeriveInput) -> syn::Result<TokenStream> {
    let krate = match key::krate(&item.attrs)? {
        Some(path) => quote!(#path),
        None => quote!(::tenure),
    };
    let out = Ident::new("key", Span::mixed_site());
    let body = match &item.data {
        Data::Struct(data) => {
            let (pattern, writes) = fields(&krate, &data.fields, &out)?;
            quote! {
                let Self #pattern = self;
                #writes
            }
        }
        Data::Enum(data) => {
            let mut arms = Vec::new();
            for (number, variant) in data.variants.iter().enumerate() {
                let name = &variant.ident;
                let number = number as u32;
                let (pattern, writes) = fields(&krate, &variant.fields, &out)?;
                arms.push(quote! {
                    Self::#name #pattern => {
                        #krate::CacheKey::encode(&#number, #out);
                        #writes
                    }
                });
            }
            if arms.is_empty() {
                quote!(match *self {})
            } else {
                quote!(match self { #(#arms)* })
            }
        }
        Data::Union(data) => {
            let text = "`CacheKey` cannot be derived for a union, which does not say what it \
                        holds; implement it by hand";
            return Err(Error::new(data.union_token.span, text));
        }
    };
    let name = &item.ident;
    let mut generics = item.generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(#krate::CacheKey));
    }
    let (parameters, arguments, condition) = generics.split_for_impl();
    let imports = key::imports(&krate);
    Ok(quote! {
        #[automatically_derived]
        impl #parameters #krate::CacheKey for #name #arguments #condition {
            #[inline]
            fn encode(&self, #out: &mut #krate::Encoder) {
                #imports
                #body
            }
        }
    })
}

/// A pattern that binds the fields, and what writes them.
fn fields(
    krate: &TokenStream,
    fields: &Fields,
    out: &Ident,
) -> syn::Result<(TokenStream, TokenStream)> {
    let mut bindings = Vec::new();
    let mut writes = TokenStream::new();
    for (number, field) in fields.iter().enumerate() {
        let part = key::take(&mut field.attrs.clone())?;
        let local = Ident::new(&format!("field_{number}"), Span::mixed_site());
        let binding = match part {
            key::Part::Skipped => quote!(_),
            _ => quote!(#local),
        };
        bindings.push(match &field.ident {
            Some(name) => quote!(#name: #binding),
            None => binding,
        });
        writes.extend(part.encode(krate, &quote!(*#local), out, &field.ty));
    }
    let pattern = match fields {
        Fields::Named(_) => quote!({ #(#bindings),* }),
        Fields::Unnamed(_) => quote!((#(#bindings),*)),
        Fields::Unit => TokenStream::new(),
    };
    Ok((pattern, writes))
}
