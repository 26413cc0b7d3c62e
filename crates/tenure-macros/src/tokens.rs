//! Tokens and types: what they say, and where they stand.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use syn::Type;

/// The token that names a type: the last one outside its generic arguments.
pub(crate) fn head(ty: TokenStream) -> Span {
    let mut depth = 0;
    let mut head = None;
    for token in ty {
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == '<' => depth += 1,
            TokenTree::Punct(punct) if punct.as_char() == '>' => depth -= 1,
            TokenTree::Punct(_) => {}
            _ if depth == 0 => head = Some(token.span()),
            _ => {}
        }
    }
    head.unwrap_or_else(Span::call_site)
}

/// The same tokens, all at one place: an error in any part of them is shown there. Their names
/// still mean what they meant.
pub(crate) fn located_at(place: Span, tokens: TokenStream) -> TokenStream {
    let moved = tokens.into_iter().map(|mut token| {
        if let TokenTree::Group(group) = &token {
            let inner = located_at(place, group.stream());
            token = TokenTree::Group(Group::new(group.delimiter(), inner));
        }
        token.set_span(token.span().located_at(place));
        token
    });
    moved.collect()
}

/// The type itself: what comes through a `macro_rules!` fragment has braces that nobody sees.
pub(crate) fn ungrouped(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            ty => return ty,
        };
    }
}

/// Whether a word that is meant stands in the tokens.
pub(crate) fn mentions(tokens: &TokenStream, is_meant: &dyn Fn(&Ident) -> bool) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(word) => is_meant(&word),
        TokenTree::Group(group) => mentions(&group.stream(), is_meant),
        _ => false,
    })
}
