//! The function under the attribute: what can be cached, and what its parameters are to the key.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::visit::Visit;
use syn::{Attribute, Error, FnArg, Generics, Ident, ItemFn, Pat, Receiver, Type, TypeImplTrait};

use crate::attr::Settings;
use crate::key::{self, Part};
use crate::returns::Returns;

/// A function that can be cached.
pub(crate) struct Function {
    pub(crate) item: ItemFn,
    pub(crate) receiver: Option<(Receiver, Part)>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) returns: Returns,
    pub(crate) place: Place,
}

/// Where the function stands.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Place {
    /// In a module or a block: a type of its name can stand beside it.
    Free,
    /// In an `impl`: only functions can stand beside it.
    Associated,
}

pub(crate) struct Parameter {
    /// Its name in the signature.
    pub(crate) name: Ident,
    /// The pattern that the body uses instead, where there is one.
    pub(crate) pattern: Option<Pat>,
    pub(crate) ty: Type,
    pub(crate) part: Part,
    /// Whether its type has no name.
    pub(crate) opaque: bool,
    /// What else stands in front of it.
    pub(crate) attributes: Vec<Attribute>,
}

impl Function {
    pub(crate) fn is_async(&self) -> bool {
        self.item.sig.asyncness.is_some()
    }

    /// Whether there may be several caches, for several types.
    pub(crate) fn is_family(&self) -> bool {
        self.place == Place::Associated
            || self.type_parameters().next().is_some()
            || self.const_parameters().next().is_some()
            || self.parameters.iter().any(|it| it.opaque)
    }

    pub(crate) fn generics(&self) -> &Generics {
        &self.item.sig.generics
    }

    pub(crate) fn type_parameters(&self) -> impl Iterator<Item = &Ident> {
        self.generics().type_params().map(|it| &it.ident)
    }

    pub(crate) fn const_parameters(&self) -> impl Iterator<Item = &Ident> {
        self.generics().const_params().map(|it| &it.ident)
    }
}

/// Reads the function; gives it back, without our attributes, where it cannot be cached.
pub(crate) fn read(
    mut item: ItemFn,
    settings: &Settings,
) -> Result<Function, (TokenStream, Error)> {
    let place = match settings.associated {
        Some(_) => Place::Associated,
        None if item.sig.receiver().is_some() || mentions_self(&item) => Place::Associated,
        None => Place::Free,
    };
    let mut mistakes: Option<Error> = None;
    let mut note = |error: Error| match &mut mistakes {
        None => mistakes = Some(error),
        Some(mistakes) => mistakes.combine(error),
    };
    if let Err(error) = refuse(&item) {
        note(error);
    }
    let mut receiver = None;
    let mut parameters = Vec::new();
    for (number, input) in item.sig.inputs.iter_mut().enumerate() {
        match input {
            FnArg::Receiver(it) => match key::take(&mut it.attrs) {
                Ok(part) => receiver = Some((it.clone(), part)),
                Err(error) => note(error),
            },
            FnArg::Typed(it) => match key::take(&mut it.attrs) {
                Ok(part) => {
                    let attributes = it.attrs.clone();
                    match parameter(number, &it.pat, (*it.ty).clone(), part, attributes) {
                        Ok(parameter) => parameters.push(parameter),
                        Err(error) => note(error),
                    }
                }
                Err(error) => note(error),
            },
        }
    }
    let returns = match Returns::read(&item.sig.output, &settings.krate()) {
        Ok(returns) => Some(returns),
        Err(error) => {
            note(error);
            None
        }
    };
    match (mistakes, returns) {
        (None, Some(returns)) => Ok(Function {
            item,
            receiver,
            parameters,
            returns,
            place,
        }),
        (mistakes, _) => {
            let mistakes =
                mistakes.unwrap_or_else(|| Error::new(Span::call_site(), "cannot be cached"));
            // The compiler would say of it what has just been said.
            item.sig.variadic = None;
            Err((item.into_token_stream(), mistakes))
        }
    }
}

fn parameter(
    number: usize,
    pattern: &Pat,
    ty: Type,
    part: Part,
    attributes: Vec<Attribute>,
) -> syn::Result<Parameter> {
    let mut parameter = Parameter {
        name: format_ident!("argument_{number}", span = Span::mixed_site()),
        pattern: Some(pattern.clone()),
        opaque: is_opaque(&ty),
        ty,
        part,
        attributes,
    };
    let left_out = match pattern {
        Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => {
            parameter.name = name.ident.clone();
            if name.mutability.is_none() {
                parameter.pattern = None;
            }
            name.ident.to_string().starts_with('_')
        }
        Pat::Wild(_) => true,
        _ => false,
    };
    if left_out {
        if let Part::With(function) = &parameter.part {
            let text = "a parameter whose name begins with `_` is left out of the key; rename it, \
                        or remove this";
            return Err(Error::new_spanned(function, text));
        }
        parameter.part = Part::Skipped;
    }
    Ok(parameter)
}

fn refuse(item: &ItemFn) -> syn::Result<()> {
    let sig = &item.sig;
    if let Some(token) = &sig.constness {
        let text = "a `const fn` cannot be cached; its calls cost nothing at run time";
        return Err(Error::new_spanned(token, text));
    }
    if let Some(token) = &sig.unsafety {
        let text = "an `unsafe fn` cannot be cached: a hit does not run it. \
                    Cache a safe function that calls it";
        return Err(Error::new_spanned(token, text));
    }
    if let Some(token) = &sig.abi {
        let text = "a function of another language's calling convention cannot be cached. \
                    Cache a function without `extern` that it calls";
        return Err(Error::new_spanned(token, text));
    }
    if let Some(token) = &sig.variadic {
        let text = "a variadic function cannot be cached; take a slice";
        return Err(Error::new_spanned(token, text));
    }
    if sig.ident == "main" {
        let text = "`main` runs once as it is; cache a function that it calls";
        return Err(Error::new_spanned(&sig.ident, text));
    }
    Ok(())
}

/// Says what the attribute was put on.
pub(crate) fn not_a_function(item: &TokenStream, error: Error) -> Error {
    let what = item.clone().into_iter().find_map(|token| match token {
        TokenTree::Ident(word) => {
            let names = [
                "struct", "enum", "impl", "trait", "mod", "static", "type", "union",
            ];
            names.contains(&word.to_string().as_str()).then_some(word)
        }
        _ => None,
    });
    match what {
        Some(word) => {
            let text = format!(
                "`#[cache_resource]` goes on a function, not on `{word}`; put it on each function \
                 whose result is to be kept"
            );
            Error::new(word.span(), text)
        }
        None => error,
    }
}

fn mentions_self(item: &ItemFn) -> bool {
    fn search(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(word) => word == "Self",
            TokenTree::Group(group) => search(group.stream()),
            _ => false,
        })
    }
    let (sig, block) = (&item.sig, &item.block);
    search(quote!(#sig #block))
}

fn is_opaque(ty: &Type) -> bool {
    struct Opaque(bool);
    impl<'ast> Visit<'ast> for Opaque {
        fn visit_type_impl_trait(&mut self, _: &'ast TypeImplTrait) {
            self.0 = true;
        }
    }
    let mut opaque = Opaque(false);
    opaque.visit_type(ty);
    opaque.0
}
