//! The settings, as they stand in the attribute.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprLit, ExprUnary, Ident, Lit, LitStr, Path, Token, UnOp};
use tenure_duration::parse_duration;

/// The settings, each with a value to show.
const SETTINGS: [(&str, &str); 25] = [
    ("ttl", "\"1h30m\""),
    ("refresh_mode", "\"background\""),
    ("refresh_before", "\"5m\""),
    ("max_stale", "\"1h\""),
    ("max_idle", "\"15m\""),
    ("max_entries", "8"),
    ("weight", "|it| it.bytes"),
    ("max_weight", "8_000_000_000"),
    ("build_timeout", "\"30s\""),
    ("fleet_builds", "1"),
    ("validate", "|it| it.is_alive()"),
    ("keep_if", "|it| it.is_some()"),
    ("on_release", "|it| it.close()"),
    ("scope", "\"session\""),
    ("tags", "[\"billing\"]"),
    ("drain", "\"30s\""),
    ("show_spinner", "\"Loading the model\""),
    ("show_time", "true"),
    ("show_arguments", "true"),
    ("observes", "true"),
    ("carry", "false"),
    ("warm", "true"),
    ("associated", ""),
    ("cache", "other_name"),
    ("crate", "other_name"),
];

/// An example of a setting.
fn example(name: &str) -> String {
    let value = SETTINGS.iter().find(|(known, _)| *known == name);
    format!("{name} = {}", value.map_or("…", |(_, value)| value))
}

/// What the attribute says; a setting with a mistake counts as not given.
#[derive(Default)]
pub(crate) struct Settings {
    /// Calls of the methods of `tenure::Settings`, one for each of its fields that is set.
    pub(crate) calls: Vec<TokenStream>,
    /// Items that warn where they stand.
    pub(crate) warnings: Vec<TokenStream>,
    pub(crate) validate: Option<Expr>,
    pub(crate) keep_if: Option<Expr>,
    pub(crate) on_release: Option<Expr>,
    /// A `ttl` that each resource says itself.
    pub(crate) own_ttl: Option<Expr>,
    /// A `ttl` of which the compiler is to be asked whether it is one.
    pub(crate) lives: Option<Expr>,
    pub(crate) weight: Option<Weight>,
    /// The tags of each call, as this says.
    pub(crate) tags: Option<Expr>,
    /// The settings for which a build has to do without its caller.
    pub(crate) leaving: Vec<Ident>,
    /// Whether what stands in the cache is listed with its arguments.
    pub(crate) show_arguments: bool,
    /// Whether a build is a part of its caller in any case.
    pub(crate) stays: bool,
    /// Asks for `warm`, whatever the types of the parameters are.
    pub(crate) warm: Option<Ident>,
    /// Whether entries are refreshed beside the callers.
    refreshes: bool,
    pub(crate) associated: Option<Span>,
    /// The name that the cache goes by.
    pub(crate) cache: Option<Ident>,
    krate: Option<Path>,
}

impl Settings {
    /// Where `tenure` is.
    pub(crate) fn krate(&self) -> TokenStream {
        match &self.krate {
            Some(path) => quote!(#path),
            None => quote!(::tenure),
        }
    }
}

/// How heavy a resource is.
pub(crate) enum Weight {
    /// As heavy as all of them.
    Number(Expr),
    /// As this says.
    Of(Expr),
}

struct Setting {
    name: Ident,
    value: Option<Expr>,
}

impl Parse for Setting {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.call(Ident::parse_any)?;
        if !SETTINGS.iter().any(|(known, _)| name == known) {
            // Whatever its value is written like, the name is the mistake.
            while !input.is_empty() && !input.peek(Token![,]) {
                input.parse::<TokenTree>()?;
            }
            return Ok(Self { name, value: None });
        }
        let value = if input.is_empty() || input.peek(Token![,]) {
            None
        } else if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Some(ungrouped(input.parse()?))
        } else {
            let example = example(&name.to_string());
            return Err(input.error(format!("write `{example}`")));
        };
        Ok(Self { name, value })
    }
}

/// Reads everything, and gives the mistakes beside what could be read.
pub(crate) fn read(tokens: TokenStream) -> (Settings, Vec<Error>) {
    let mut settings = Settings::default();
    let mut mistakes = Vec::new();
    let parsed = syn::punctuated::Punctuated::<Setting, Token![,]>::parse_terminated.parse2(tokens);
    let mut parsed: Vec<Setting> = match parsed {
        Ok(parsed) => parsed.into_iter().collect(),
        Err(error) => return (settings, vec![error]),
    };
    // What the others expand to names it.
    parsed.sort_by_key(|setting| setting.name != "crate");
    let mut seen: Vec<(String, Span, bool)> = Vec::new();
    for setting in parsed {
        let name = setting.name.to_string();
        let span = setting.name.span();
        if seen.iter().any(|it| it.0 == name) {
            let twice = format!("`{name}` is set twice; leave one of the two out");
            mistakes.push(Error::new(setting.name.span(), twice));
            continue;
        }
        let mut is_well = true;
        if let Err(mistake) = settings.take(&name, setting) {
            mistakes.push(mistake);
            is_well = false;
        }
        seen.push((name, span, is_well));
    }
    for (name, needs, text) in NEEDS {
        let set = seen.iter().find(|it| it.0 == name && it.2);
        if let Some((_, span, _)) = set
            && !needs
                .iter()
                .any(|needs| seen.iter().any(|it| it.0 == *needs))
            && (name != "refresh_mode" || settings.refreshes)
        {
            mistakes.push(Error::new(*span, text));
        }
    }
    (settings, mistakes)
}

/// Settings that mean nothing without another.
const NEEDS: [(&str, &[&str], &str); 3] = [
    (
        "refresh_mode",
        &["ttl"],
        "refresh_mode needs a ttl: when is a resource too old? \
         Example: ttl = \"1h\", refresh_mode = \"background\"",
    ),
    (
        "refresh_before",
        &["ttl"],
        "refresh_before needs a ttl: before what is the refresh to begin? \
         Example: ttl = \"1h\", refresh_before = \"5m\"",
    ),
    (
        "max_weight",
        &["weight"],
        "max_weight needs a weight: how heavy is a resource? \
         Example: weight = |it| it.bytes, max_weight = 8_000_000_000",
    ),
];

impl Settings {
    fn take(&mut self, name: &str, setting: Setting) -> syn::Result<()> {
        let span = setting.name.span();
        if name == "associated" {
            // Said wrongly too, so that what stands beside the function fits into an `impl`.
            self.associated = Some(span);
            return match setting.value {
                Some(value) => {
                    let text = "`associated` has no value: write it alone";
                    Err(Error::new_spanned(value, text))
                }
                None => Ok(()),
            };
        }
        if !SETTINGS.iter().any(|(known, _)| *known == name) {
            return Err(Error::new(span, unknown(name)));
        }
        let Some(value) = setting.value else {
            return Err(Error::new(span, format!("write `{}`", example(name))));
        };
        match name {
            "ttl" => self.ttl(value)?,
            "refresh_mode" => {
                self.refreshes = self.refresh_mode(&value)?;
                if self.refreshes {
                    self.leaving.push(setting.name);
                }
            }
            "refresh_before" => {
                self.duration(name, quote!(refresh_before), &value)?;
                self.leaving.push(setting.name);
            }
            "max_stale" => self.duration(name, quote!(max_stale), &value)?,
            "max_idle" => {
                not_zero(name, &value)?;
                self.duration(name, quote!(max_idle), &value)?;
            }
            "build_timeout" => {
                not_zero(name, &value)?;
                self.duration(name, quote!(build_timeout), &value)?;
                self.leaving.push(setting.name);
            }
            "weight" => self.weight = Some(weight(value)?),
            "max_weight" => self.max_weight(&value)?,
            "tags" => self.tags(value)?,
            "drain" => self.duration(name, quote!(drain), &value)?,
            "max_entries" => {
                self.at_least_one(name, &quote!(max_entries), &quote!(usize), &value)?
            }
            "fleet_builds" => {
                self.at_least_one(name, &quote!(fleet_builds), &quote!(u32), &value)?
            }
            "validate" => self.validate = Some(callable(name, value)?),
            "keep_if" => self.keep_if = Some(callable(name, value)?),
            "on_release" => self.on_release = Some(release(callable(name, value)?)?),
            "scope" => self.scope(&value)?,
            "show_spinner" => self.spinner(&value)?,
            "show_time" => self.switch(name, quote!(show_time), &value)?,
            "show_arguments" => self.show_arguments = switched(name, &value)?,
            "observes" => self.switch(name, quote!(observes), &value)?,
            "warm" => self.warm = switched(name, &value)?.then_some(setting.name),
            "carry" => self.stays = !switched(name, &value)?,
            "cache" => self.cache = Some(cache(&value)?),
            _ => self.krate = Some(path(&value)?),
        }
        Ok(())
    }

    fn duration(&mut self, name: &str, method: TokenStream, value: &Expr) -> syn::Result<()> {
        let wrong = |what: String, problem: &str| {
            let text = format!(
                "{name} = {what} is {problem}. Accepted are a text like \"1h30m\", a number of \
                 seconds, and a `Duration`. Example: {}",
                example(name)
            );
            Err(Error::new_spanned(value, text))
        };
        let nanos = match value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) => {
                let parsed = parse_duration(name, &text.value())
                    .map_err(|error| Error::new(text.span(), error))?;
                if parsed.bare_number {
                    self.warn(text, name);
                }
                parsed.duration
            }
            Expr::Lit(ExprLit {
                lit: Lit::Int(seconds),
                ..
            }) if seconds.suffix().is_empty() => {
                std::time::Duration::from_secs(seconds.base10_parse()?)
            }
            Expr::Lit(ExprLit {
                lit: Lit::Float(seconds),
                ..
            }) if seconds.suffix().is_empty() => {
                match std::time::Duration::try_from_secs_f64(seconds.base10_parse()?) {
                    Ok(duration) => duration,
                    Err(_) => return wrong(seconds.to_string(), "too long"),
                }
            }
            Expr::Lit(_) => return wrong(quote!(#value).to_string(), "not a time"),
            Expr::Unary(ExprUnary {
                op: UnOp::Neg(_),
                expr,
                ..
            }) if matches!(**expr, Expr::Lit(_)) => {
                return wrong(format!("-{}", quote!(#expr)), "negative");
            }
            Expr::Path(path) if path.path.is_ident("None") => return Ok(()),
            _ => {
                let krate = self.krate();
                self.calls
                    .push(quote_spanned!(value.span()=> .#method(#krate::front::time(#value))));
                return Ok(());
            }
        };
        let (seconds, nanos) = (nanos.as_secs(), nanos.subsec_nanos());
        self.calls
            .push(quote!(.#method(::core::time::Duration::new(#seconds, #nanos))));
        Ok(())
    }

    /// A time, or what says it of each resource.
    fn ttl(&mut self, value: Expr) -> syn::Result<()> {
        match value {
            Expr::Closure(_) => self.own_ttl = Some(value),
            Expr::Lit(_) | Expr::Unary(_) => return self.duration("ttl", quote!(ttl), &value),
            Expr::Path(ref path) if path.path.is_ident("None") => {}
            _ => self.lives = Some(value),
        }
        Ok(())
    }

    /// Whether that is beside the callers.
    fn refresh_mode(&mut self, value: &Expr) -> syn::Result<bool> {
        let mode = match value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) => match text.value().as_str() {
                "foreground" => Some((quote!(Foreground), false)),
                "background" => Some((quote!(Background), true)),
                "ahead" => Some((quote!(Ahead), true)),
                _ => None,
            },
            _ => None,
        };
        let Some((mode, is_beside)) = mode else {
            let text = format!(
                "refresh_mode must be \"foreground\", \"background\" or \"ahead\", not {}. \
                 Example: ttl = \"1h\", refresh_mode = \"background\"",
                quote!(#value)
            );
            return Err(Error::new_spanned(value, text));
        };
        let krate = self.krate();
        self.calls.push(quote!(.refresh(#krate::Refresh::#mode)));
        Ok(is_beside)
    }

    fn max_weight(&mut self, value: &Expr) -> syn::Result<()> {
        let text = "max_weight must be a number. Example: weight = |it| it.bytes, \
                    max_weight = 8_000_000_000. Leave it out for no bound";
        match value {
            Expr::Lit(ExprLit {
                lit: Lit::Int(_), ..
            }) => {}
            Expr::Lit(_)
            | Expr::Unary(ExprUnary {
                op: UnOp::Neg(_), ..
            }) => {
                return Err(Error::new_spanned(value, text));
            }
            Expr::Path(path) if path.path.is_ident("None") => return Ok(()),
            _ => {}
        }
        self.calls.push(quote_spanned!(value.span()=>
            .max_weight(::core::option::Option::Some::<u64>(#value))
        ));
        Ok(())
    }

    /// The tags of all entries, or what says those of each call.
    fn tags(&mut self, value: Expr) -> syn::Result<()> {
        let is_list = match &value {
            Expr::Array(array) => match array.elems.iter().find(|it| is_no_text(it)) {
                Some(wrong) => return Err(Error::new_spanned(wrong, TAGS)),
                None if array.elems.is_empty() => return Ok(()),
                None => true,
            },
            Expr::Macro(list) => list.mac.path.is_ident("vec"),
            Expr::Path(path) if path.path.is_ident("None") => return Ok(()),
            Expr::Path(_) | Expr::Closure(_) => false,
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) => {
                let text = format!("tags must be a list: write `tags = [{:?}]`", text.value());
                return Err(Error::new_spanned(value, text));
            }
            _ => return Err(Error::new_spanned(value, TAGS)),
        };
        if is_list {
            self.calls
                .push(quote_spanned!(value.span()=> .tags(#value)));
        } else {
            self.calls.push(quote!(.tags_calls(true)));
            self.tags = Some(value);
        }
        Ok(())
    }

    /// A warning on the literal, by the one means that a stable macro has.
    fn warn(&mut self, text: &LitStr, name: &str) {
        let note = format!(
            "{name} = {:?} has no unit and means nanoseconds; write {:?} for seconds",
            text.value(),
            format!("{}s", text.value())
        );
        let warning = Ident::new("without_unit", text.span());
        self.warnings.push(quote! {
            const _: () = {
                #[deprecated(note = #note)]
                const fn #warning() {}
                #warning()
            };
        });
    }

    /// A setting that is a whole number from 1 on.
    fn at_least_one(
        &mut self,
        name: &str,
        setter: &TokenStream,
        kind: &TokenStream,
        value: &Expr,
    ) -> syn::Result<()> {
        let wrong = |what: String| {
            let text = format!(
                "{name} must be at least 1; it is {what}. Example: {example}. Leave it out for no bound",
                example = example(name)
            );
            Err(Error::new_spanned(value, text))
        };
        match value {
            Expr::Lit(ExprLit {
                lit: Lit::Int(number),
                ..
            }) => match number.base10_parse() {
                Ok(0u64) => return wrong("0".to_owned()),
                Ok(_) => {}
                Err(_) => return wrong(number.to_string()),
            },
            Expr::Lit(_) => return wrong(quote!(#value).to_string()),
            Expr::Unary(ExprUnary {
                op: UnOp::Neg(_),
                expr,
                ..
            }) => {
                return wrong(format!("-{}", quote!(#expr)));
            }
            Expr::Path(path) if path.path.is_ident("None") => return Ok(()),
            _ => {}
        }
        self.calls.push(quote_spanned!(value.span()=>
            .#setter(::core::option::Option::Some::<#kind>(#value))
        ));
        Ok(())
    }

    fn scope(&mut self, value: &Expr) -> syn::Result<()> {
        let scope = match value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) => match text.value().as_str() {
                "global" => Some(quote!(Global)),
                "session" => Some(quote!(Session)),
                _ => None,
            },
            _ => None,
        };
        let Some(scope) = scope else {
            let text = format!(
                "scope must be \"global\" or \"session\", not {}. Example: scope = \"session\"",
                quote!(#value)
            );
            return Err(Error::new_spanned(value, text));
        };
        let krate = self.krate();
        self.calls.push(quote!(.scope(#krate::Scope::#scope)));
        Ok(())
    }

    fn spinner(&mut self, value: &Expr) -> syn::Result<()> {
        let spinner = match value {
            Expr::Lit(ExprLit {
                lit: Lit::Bool(shows),
                ..
            }) if shows.value => quote!(Default),
            Expr::Lit(ExprLit {
                lit: Lit::Bool(_), ..
            }) => quote!(Off),
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) => quote!(Text(::core::convert::Into::into(#text))),
            _ => {
                let text = "show_spinner must be `true`, `false` or a text. \
                            Example: show_spinner = \"Loading the model\"";
                return Err(Error::new_spanned(value, text));
            }
        };
        let krate = self.krate();
        self.calls.push(quote!(.spinner(#krate::Spinner::#spinner)));
        Ok(())
    }

    fn switch(&mut self, name: &str, method: TokenStream, value: &Expr) -> syn::Result<()> {
        let on = switched(name, value)?;
        self.calls.push(quote!(.#method(#on)));
        Ok(())
    }
}

const TAGS: &str = "tags must be a list of texts, or a function or a closure of the arguments that returns one. \
                    Examples: tags = [\"billing\"], or tags = |tenant| [format!(\"tenant:{tenant}\")]";

/// Whether it is a literal and no text.
fn is_no_text(value: &Expr) -> bool {
    matches!(value, Expr::Lit(it) if !matches!(it.lit, Lit::Str(_)))
}

/// Refuses a time of nothing, where it is a number or a text.
fn not_zero(name: &str, value: &Expr) -> syn::Result<()> {
    let is_zero = match value {
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) => number.base10_parse::<u64>().is_ok_and(|it| it == 0),
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => parse_duration(name, &text.value()).is_ok_and(|it| it.duration.is_zero()),
        _ => false,
    };
    if !is_zero {
        return Ok(());
    }
    let text = format!(
        "{name} must be above 0. Example: {}. Leave it out for any time",
        example(name)
    );
    Err(Error::new_spanned(value, text))
}

/// A number, or what gives one for each resource.
fn weight(value: Expr) -> syn::Result<Weight> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Int(_), ..
        }) => Ok(Weight::Number(value)),
        Expr::Lit(_) | Expr::Array(_) | Expr::Tuple(_) | Expr::Range(_) | Expr::Unary(_) => {
            let text = format!(
                "weight must be a number, a function or a closure, not {}. Example: {}",
                quote!(#value),
                example("weight")
            );
            Err(Error::new_spanned(value, text))
        }
        value => Ok(Weight::Of(value)),
    }
}

fn switched(name: &str, value: &Expr) -> syn::Result<bool> {
    if let Expr::Lit(ExprLit {
        lit: Lit::Bool(on), ..
    }) = value
    {
        return Ok(on.value);
    }
    let text = format!("{name} must be `true` or `false`. Example: {name} = true");
    Err(Error::new_spanned(value, text))
}

/// The expression itself: what comes through a `macro_rules!` fragment has braces that nobody sees.
fn ungrouped(mut value: Expr) -> Expr {
    loop {
        value = match value {
            Expr::Group(group) => *group.expr,
            Expr::Unary(mut unary) => {
                *unary.expr = ungrouped(*unary.expr);
                return Expr::Unary(unary);
            }
            value => return value,
        };
    }
}

/// A name for the cache.
fn cache(value: &Expr) -> syn::Result<Ident> {
    let name = match value {
        Expr::Path(path) if path.qself.is_none() => path.path.get_ident().cloned(),
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => text.parse().ok(),
        _ => None,
    };
    name.ok_or_else(|| {
        let text = "`cache` must be a name. Example: cache = other_name";
        Error::new_spanned(value, text)
    })
}

fn callable(name: &str, value: Expr) -> syn::Result<Expr> {
    match value {
        Expr::Lit(_) | Expr::Array(_) | Expr::Tuple(_) | Expr::Range(_) => {
            let text = format!(
                "{name} must be a function or a closure, not {}. Example: {}",
                quote!(#value),
                example(name)
            );
            Err(Error::new_spanned(value, text))
        }
        value => Ok(value),
    }
}

/// What takes the resource, and the cause where it asks for it.
fn release(value: Expr) -> syn::Result<Expr> {
    match value {
        Expr::Closure(closure) if !matches!(closure.inputs.len(), 1 | 2) => {
            let text = format!(
                "on_release takes the resource, and the `Cause` of the release where it has a second \
                 parameter. Example: {}, or on_release = |it, cause| it.close(cause)",
                example("on_release")
            );
            let (or1, or2) = (closure.or1_token, closure.or2_token);
            let inputs = &closure.inputs;
            Err(Error::new_spanned(quote!(#or1 #inputs #or2), text))
        }
        value => Ok(value),
    }
}

/// A path, or a text that is one.
pub(crate) fn path(value: &Expr) -> syn::Result<Path> {
    match value {
        Expr::Path(path) if path.qself.is_none() => Ok(path.path.clone()),
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => text.parse(),
        _ => {
            let text = "`crate` must be a path. Example: crate = other_name";
            Err(Error::new_spanned(value, text))
        }
    }
}

fn unknown(name: &str) -> String {
    if name == "hash_funcs" {
        return "there is no `hash_funcs` in Rust: put `#[key(with = path)]` on the parameter"
            .to_owned();
    }
    let near = SETTINGS
        .iter()
        .map(|(known, _)| (strsim::osa_distance(name, known), known))
        .min();
    match near {
        Some((distance, known)) if distance <= 2 => {
            format!("there is no setting `{name}`; did you mean `{known}`?")
        }
        _ => format!(
            "there is no setting `{name}`; there are {}",
            SETTINGS.map(|(known, _)| format!("`{known}`")).join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(tokens: TokenStream) -> Vec<String> {
        let (settings, mistakes) = read(tokens);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        settings.calls.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn r1_times_come_out_as_settings() {
        let time = |method: TokenStream, seconds: u64, nanos: u32| {
            quote!(.#method(::core::time::Duration::new(#seconds, #nanos))).to_string()
        };
        assert_eq!(
            calls(quote!(ttl = "1h30m", drain = 90)),
            [time(quote!(ttl), 5400, 0), time(quote!(drain), 90, 0)]
        );
        assert_eq!(
            calls(quote!(ttl = 7, drain = "1500ms")),
            [time(quote!(ttl), 7, 0), time(quote!(drain), 1, 500_000_000)]
        );
        assert_eq!(
            calls(quote!(ttl = 0.25, drain = None)),
            [time(quote!(ttl), 0, 250_000_000)]
        );
    }
}
