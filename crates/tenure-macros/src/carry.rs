//! Async functions whose builds a task can carry, by what their parameters say.
//!
//! | Parameter | In a build that leaves its call |
//! |---|---|
//! | an owned type, `&'static T` | moved |
//! | `&str`, `&Path`, `&OsStr`, `&CStr`, `&[u8]`, other slices of numbers and of `String`s | copied at a miss, and lent to the body |
//! | anything else: `&T`, `self`, a lifetime, `impl`, `dyn`, a type parameter | the build stays |
//!
//! A lifetime that does not show in its type cannot hide here: the compiler refuses one in the
//! parameters of an `async fn` (E0726), but for `Self`, the names of an `impl` and macros, with which
//! a build stays.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::visit::{self, Visit};
use syn::{
    Lifetime, Macro, ParenthesizedGenericArguments, Type, TypeBareFn, TypeImplTrait, TypeInfer,
    TypePath, TypePtr, TypeReference, TypeTraitObject,
};

use crate::expansion::Expansion;
use crate::place::Place;
use crate::signature::{Function, Parameter};
use crate::tokens::ungrouped;

/// How an argument comes along.
enum Comes<'a> {
    Owned(&'a Type),
    /// As a copy of what it refers to.
    Copied(&'a Type),
}

/// What a call is given beside its build.
pub(crate) struct Carried {
    /// Stands in the function, before anything else.
    pub(crate) items: TokenStream,
    /// Makes the arguments; after these the names of the parameters are gone.
    pub(crate) arguments: TokenStream,
    /// The arguments, the build, and what has it carried.
    pub(crate) parts: TokenStream,
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

/// Whether nothing in the type is borrowed, or may be.
fn is_owned(ty: &Type) -> bool {
    let mut borrowed = Borrowed(false);
    borrowed.visit_type(ty);
    !borrowed.0
}

struct Borrowed(bool);

impl<'ast> Visit<'ast> for Borrowed {
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

impl Expansion<'_> {
    /// What has the build carried; nothing where it has to be a part of its caller. `block` is the
    /// author's, over the names of the parameters, and `build` its future.
    pub(crate) fn carried(&self, block: &TokenStream, build: &TokenStream) -> Option<Carried> {
        if self.settings.stays {
            return None;
        }
        let coming = coming(self.function)?;
        let krate = &self.krate;
        let written = &self.function.returns.written;
        let (output, block) = if self.settings.show_arguments {
            (quote!(#krate::front::Built<#written>), quote!(#build.await))
        } else {
            (written.clone(), block.clone())
        };
        let names: Vec<&Ident> = self.function.parameters.iter().map(|it| &it.name).collect();
        let types = coming.iter().map(|it| match it {
            Comes::Owned(ty) => quote!(#ty),
            Comes::Copied(ty) => quote!(<#ty as #krate::front::Owned>::Owned),
        });
        let types = quote!((#(#types,)*));
        let lent = coming.iter().zip(&names).filter_map(|it| match it {
            (Comes::Owned(_), _) => None,
            (Comes::Copied(ty), name) => Some(quote! {
                #[allow(unused_variables, clippy::used_underscore_binding)]
                let #name: &#ty = <#ty as #krate::front::Owned>::lent(&#name);
            }),
        });
        let own = coming.iter().zip(&names).map(|it| match it {
            (Comes::Owned(_), name) => quote!(#name),
            (Comes::Copied(ty), name) => quote!(<#ty as #krate::front::Owned>::owned(#name)),
        });
        let place = Span::mixed_site();
        let arguments = Ident::new("arguments", place);
        let (made, start) = (format_ident!("__build"), format_ident!("__start"));
        let items = quote! {
            // The block is the author's, who has not written it within another one.
            #[allow(unused_braces, clippy::unused_async, clippy::type_complexity)]
            async fn #made(#arguments: #types) -> #output {
                #[allow(unused_variables, clippy::used_underscore_binding)]
                let (#(#names,)*) = #arguments;
                #(#lent)*
                #block
            }

            #[allow(clippy::type_complexity)]
            fn #start(
                #arguments: #types
            ) -> ::core::result::Result<#krate::front::Start<#types, #output>, #types> {
                #[allow(unused_imports)]
                use #krate::front::NotCarried as _;
                #krate::front::Carrying(#made, ::core::marker::PhantomData).start(#arguments)
            }
        };
        let given = quote! {
            #[allow(clippy::used_underscore_binding)]
            let #arguments = {
                #[allow(unused_imports)]
                use #krate::front::GivenOnce as _;
                let mut #arguments = #krate::front::Given((#(#names,)*)).arguments();
                move || {
                    let (#(#names,)*) = #arguments.take()?;
                    ::core::option::Option::Some((#(#own,)*))
                }
            };
        };
        Some(Carried {
            items,
            arguments: given,
            parts: quote_spanned!(self.place()=> #arguments, #made, #start),
        })
    }
}
