//! What a cached function returns, before and after.
//!
//! | Written | Known as |
//! |---|---|
//! | `Result<T, E>`, an alias of that name, either through a `macro_rules!` fragment | a `Result`, by its name |
//! | an alias whose name ends in `Result`, an associated type, a type macro | whatever it is: the compiler is asked (`front/returned.rs`) |
//! | any other type, and one of the above with a type parameter in it | a plain type; refused where it is a `Result` after all |
//!
//! Why is the compiler not asked of every type? The signature of the function would then name no
//! type that its readers, and their editors, can read.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::visit::{self, Visit};
use syn::{
    Error, GenericArgument, Lifetime, ParenthesizedGenericArguments, PathArguments, ReturnType,
    TraitBound, Type, TypeBareFn, TypeImplTrait, TypePath, TypeReference,
};

use crate::place::Place;
use crate::tokens::{head, located_at, mentions, ungrouped};

/// The types that a return type means.
pub(crate) struct Returns {
    /// As it is written.
    pub(crate) written: TokenStream,
    /// The resource.
    pub(crate) value: TokenStream,
    /// The failure.
    pub(crate) failure: TokenStream,
    /// What is shared with those who wait.
    pub(crate) shared: TokenStream,
    /// What a call gives.
    pub(crate) leased: TokenStream,
    /// What the body asks of the type.
    pub(crate) check: TokenStream,
}

/// What may stand in a return type that is not its own.
pub(crate) struct Around<'a> {
    pub(crate) krate: &'a TokenStream,
    pub(crate) place: Place,
    pub(crate) parameters: Vec<&'a Ident>,
}

impl Returns {
    pub(crate) fn read(output: &ReturnType, around: &Around<'_>) -> syn::Result<Self> {
        let ty = match output {
            ReturnType::Default => return Ok(Self::plain(&quote!(()), Span::call_site(), around)),
            ReturnType::Type(_, ty) => ungrouped(ty),
        };
        refuse(ty)?;
        let place = head(ty.to_token_stream());
        let written = quote!(#ty);
        if let Some((value, failure)) = parts(ty, around.krate) {
            return Ok(Self::result(written, value, failure, place, around));
        }
        if around.may_be_result(ty) {
            return Ok(Self::asked(written, place, around));
        }
        Ok(Self::plain(&written, place, around))
    }

    fn plain(written: &TokenStream, place: Span, around: &Around<'_>) -> Self {
        let krate = around.krate;
        let never = quote!(::core::convert::Infallible);
        let asked = quote! {{
            #[allow(unused_imports)]
            use #krate::front::Plain as _;
            #krate::front::Probe::<#written>(::core::marker::PhantomData).plain();
        }};
        Self {
            value: written.clone(),
            failure: never.clone(),
            shared: never,
            leased: quote_spanned!(place=> #krate::Lease<#written>),
            check: [kept(written, around), located_at(place, asked)]
                .into_iter()
                .collect(),
            written: written.clone(),
        }
    }

    fn result(
        written: TokenStream,
        value: TokenStream,
        failure: TokenStream,
        place: Span,
        around: &Around<'_>,
    ) -> Self {
        let krate = around.krate;
        Self {
            written,
            shared: quote!(#krate::front::Failed<#failure>),
            leased: quote_spanned!(place=>
                ::core::result::Result<#krate::Lease<#value>, #krate::Shared<#failure>>
            ),
            check: [kept(&value, around), shared(&failure, around)]
                .into_iter()
                .collect(),
            value,
            failure,
        }
    }

    /// What the compiler makes of a type whose name does not tell.
    fn asked(written: TokenStream, place: Span, around: &Around<'_>) -> Self {
        let krate = around.krate;
        let side = |side: TokenStream| {
            let side = quote! {
                <#written as #krate::front::Returned<{
                    #[allow(unused_imports)]
                    use #krate::front::Plain as _;
                    #krate::front::Probe::<#written>::RESULT
                }>>::#side
            };
            located_at(place, side)
        };
        let (value, failure) = (side(quote!(Value)), side(quote!(Failure)));
        Self {
            shared: side(quote!(Shared)),
            leased: side(quote!(Leased)),
            check: [kept(&value, around), shared(&failure, around)]
                .into_iter()
                .collect(),
            value,
            failure,
            written,
        }
    }
}

/// Asks of a resource, where it is written, what must be so of each.
fn kept(value: &TokenStream, around: &Around<'_>) -> TokenStream {
    let krate = around.krate;
    let ask = quote!(#krate::front::resource::<#value>(););
    located_at(head(value.clone()), ask)
}

/// Asks the same of a failure.
fn shared(failure: &TokenStream, around: &Around<'_>) -> TokenStream {
    let krate = around.krate;
    let ask = quote!(#krate::front::shared_failure::<#failure>(););
    located_at(head(failure.clone()), ask)
}

/// The resource and the failure of a type that is named `Result`. An alias with one argument hides
/// its failure, one with none both.
fn parts(ty: &Type, krate: &TokenStream) -> Option<(TokenStream, TokenStream)> {
    let Type::Path(TypePath { qself: None, path }) = ty else {
        return None;
    };
    let last = path.segments.last().filter(|last| last.ident == "Result")?;
    if path
        .segments
        .first()
        .is_some_and(|first| first.ident == "Self")
    {
        // An associated type of that name.
        return None;
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
    Some(match arguments[..] {
        [] => (outcome(quote!(Value)), outcome(quote!(Error))),
        [value] => (quote!(#value), outcome(quote!(Error))),
        [value, failure, ..] => (quote!(#value), quote!(#failure)),
    })
}

impl Around<'_> {
    /// Whether the compiler is to be asked what this type is.
    fn may_be_result(&self, ty: &Type) -> bool {
        let hides = match ty {
            Type::Macro(_) => true,
            Type::Path(TypePath { qself, path }) => {
                let mut segments = path.segments.iter();
                let first = segments.next().map(|first| &first.ident);
                let last = segments.next_back().map(|last| &last.ident).or(first);
                qself.is_some()
                    || last.is_some_and(|last| last.to_string().ends_with("Result"))
                    || (path.segments.len() > 1 && first.is_some_and(|it| it == "Self"))
            }
            _ => false,
        };
        hides && !self.mentions_parameter(&ty.to_token_stream())
    }

    /// Whether a type parameter stands in these tokens. The parameters of an `impl` cannot be seen
    /// from one of its functions, but all of them are spelled in capitals.
    fn mentions_parameter(&self, tokens: &TokenStream) -> bool {
        mentions(tokens, &|word| {
            let text = word.to_string();
            let capitals = text
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
            self.parameters.contains(&word) || (self.place == Place::Associated && capitals)
        })
    }
}

/// What cannot be kept.
fn refuse(ty: &Type) -> syn::Result<()> {
    let mut unkept = Unkept(None);
    if let Type::Reference(TypeReference { lifetime, .. }) = ty
        && lifetime.as_ref().is_none_or(|it| it.ident != "static")
    {
        return Err(Error::new_spanned(ty, BORROWED));
    }
    unkept.visit_type(ty);
    unkept.0.map_or(Ok(()), Err)
}

const BORROWED: &str = "a cached function gives its resource away: return it by value. Callers get \
                        a `Lease` of it, which they can use like a reference";

/// Looks for what a resource cannot have in its type: a lifetime, and what has no name.
struct Unkept(Option<Error>);

impl Unkept {
    fn note(&mut self, tokens: &impl ToTokens, text: &str) {
        self.0
            .get_or_insert_with(|| Error::new_spanned(tokens, text));
    }
}

impl<'ast> Visit<'ast> for Unkept {
    fn visit_type_impl_trait(&mut self, ty: &'ast TypeImplTrait) {
        let text = "a cached function must name the type of its resource. Name it, or return \
                    a `Box<dyn …>`";
        self.note(ty, text);
    }

    fn visit_type_reference(&mut self, ty: &'ast TypeReference) {
        if ty.lifetime.is_none() {
            self.note(ty, BORROWED);
        }
        visit::visit_type_reference(self, ty);
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if lifetime.ident != "static" {
            let text = format!(
                "a cached function gives its resource away, so that nothing in it can be borrowed \
                 for `{lifetime}`: return an owned type (a `String` in the place of a \
                 `Cow<'_, str>`), or one for `'static`"
            );
            self.note(lifetime, &text);
        }
    }

    // The lifetimes of a function's own parameters are nobody else's.
    fn visit_type_bare_fn(&mut self, _: &'ast TypeBareFn) {}
    fn visit_parenthesized_generic_arguments(&mut self, _: &'ast ParenthesizedGenericArguments) {}
    fn visit_trait_bound(&mut self, bound: &'ast TraitBound) {
        if bound.lifetimes.is_none() {
            visit::visit_trait_bound(self, bound);
        }
    }
}
