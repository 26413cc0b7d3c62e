//! The function under the attribute: what can be cached, and what its parameters are to the key.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::visit::Visit;
use syn::{
    Attribute, Error, FnArg, GenericParam, Generics, Ident, ItemFn, ParenthesizedGenericArguments,
    Pat, Receiver, Type, TypeBareFn, TypeImplTrait, TypeReference, parse_quote,
};

use crate::attr::Settings;
use crate::key::{self, Part};
use crate::place::{self, Place, Within};
use crate::returns::{self, Returns};
use crate::tokens::{mentions, ungrouped};

/// A function that can be cached.
pub(crate) struct Function {
    pub(crate) item: ItemFn,
    pub(crate) receiver: Option<(Receiver, Part)>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) returns: Returns,
    pub(crate) place: Place,
    pub(crate) misplaced: Option<Misplaced>,
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

    /// What a call names between `::<` and `>`: its types and numbers, in their order.
    pub(crate) fn named_parameters(&self) -> Vec<&Ident> {
        parameters_of(self.generics())
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
    let misplaced = Misplaced::find(&item.sig.ident, place, settings);
    let place = misplaced.as_ref().map_or(place, |it| it.place);
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
                Ok(part) => {
                    if let (Some(token), false) = (&it.mutability, matches!(part, Part::Skipped))
                        && it.reference.is_some()
                    {
                        note(Error::new_spanned(token, CHANGED));
                    }
                    receiver = Some((it.clone(), part));
                }
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
    let krate = settings.krate();
    let around = returns::Around {
        krate: &krate,
        place,
        parameters: parameters_of(&item.sig.generics),
    };
    let returns = match Returns::read(&item.sig.output, &around) {
        Ok(returns) => Some(returns),
        Err(error) => {
            note(error);
            None
        }
    };
    if let (Some(misplaced), Some(returns)) = (&misplaced, &returns)
        && misplaced.within == Within::Trait
    {
        let error = misplaced.error.clone();
        return Err((misplaced.of_trait(item, returns), error));
    }
    match (mistakes, returns) {
        (None, Some(returns)) => Ok(Function {
            misplaced,
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

/// A function that stands where what is made of it cannot stand beside it.
pub(crate) struct Misplaced {
    within: Within,
    /// Where it would stand if it said so.
    place: Place,
    /// The name of its cache if it said so.
    pub(crate) cache: Option<Ident>,
    leased_elsewhere: bool,
    pub(crate) error: Error,
}

impl Misplaced {
    fn find(name: &Ident, place: Place, settings: &Settings) -> Option<Self> {
        let around = place::around(name);
        let mut cache = None;
        let (place, text) = match (around.within, place, around.namesake) {
            (Within::Trait, ..) => {
                let text = format!(
                    "a function of a trait cannot be cached: nothing but the trait's own items may \
                     stand beside it. Cache a function outside of the trait, and call it in `{name}`"
                );
                (Place::Associated, text)
            }
            (Within::Impl, Place::Free, _) => {
                let text = format!(
                    "a cached function without `self` that stands in an `impl` says so: write \
                     `#[cache_resource(associated)]`. Its cache then has `{name}_clear()` and the \
                     like"
                );
                (Place::Associated, text)
            }
            (Within::Scope, Place::Free, Some(kind)) if settings.cache.is_none() => {
                cache = Some(format_ident!("{name}_cache"));
                let text = format!(
                    "beside a cached function stands a type of its name, for `{name}::clear()`, but \
                     here a `{kind}` has that name. Give the cache another: write \
                     `#[cache_resource(cache = {name}_cache)]`, and `{name}_cache::clear()`"
                );
                (place, text)
            }
            _ => return None,
        };
        Some(Self {
            within: around.within,
            place,
            cache,
            leased_elsewhere: around.leased_elsewhere,
            error: Error::new(name.span(), text),
        })
    }

    /// The function as its trait has it, so that no other error follows.
    fn of_trait(&self, mut item: ItemFn, returns: &Returns) -> TokenStream {
        if self.leased_elsewhere {
            let leased = &returns.leased;
            item.sig.output = parse_quote!(-> #leased);
            item.block = parse_quote!({ ::core::unreachable!() });
        }
        item.into_token_stream()
    }
}

fn parameters_of(generics: &Generics) -> Vec<&Ident> {
    let names = generics
        .params
        .iter()
        .filter_map(|parameter| match parameter {
            GenericParam::Type(it) => Some(&it.ident),
            GenericParam::Const(it) => Some(&it.ident),
            GenericParam::Lifetime(_) => None,
        });
    names.collect()
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
        ty: ungrouped(&ty).clone(),
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
    if !matches!(parameter.part, Part::Skipped) {
        let mut changes = Changes(None);
        changes.visit_type(&parameter.ty);
        if let Some(reference) = changes.0 {
            return Err(Error::new_spanned(reference, CHANGED));
        }
    }
    Ok(parameter)
}

const CHANGED: &str = "what is done through `&mut` happens in a build and not on a hit. Take it by \
                       `&` where only its value counts, or leave it out of the key: give it a name \
                       that begins with `_`, or `#[key(skip)]`";

/// Looks for a `&mut` that the function is given.
struct Changes<'ast>(Option<&'ast TypeReference>);

impl<'ast> Visit<'ast> for Changes<'ast> {
    fn visit_type_reference(&mut self, ty: &'ast TypeReference) {
        if ty.mutability.is_some() {
            self.0.get_or_insert(ty);
        }
        syn::visit::visit_type_reference(self, ty);
    }

    // What a function takes is not given here.
    fn visit_type_bare_fn(&mut self, _: &'ast TypeBareFn) {}
    fn visit_parenthesized_generic_arguments(&mut self, _: &'ast ParenthesizedGenericArguments) {}
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
    let (sig, block) = (&item.sig, &item.block);
    mentions(&quote!(#sig #block), &|word| word == "Self")
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
