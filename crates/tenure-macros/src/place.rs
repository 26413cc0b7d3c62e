//! What stands around a function in its file, for errors that the compiler cannot give.
//!
//! A macro sees its function and nothing else. Whether that stands in an `impl`, and whether a
//! module beside it has its name, decides what may be written beside it; the compiler's own words
//! for it would be several, on code that nobody wrote. So the file is read, and what is found there
//! gives an error with what to write. Where the file cannot be read nothing is found, and a program
//! without such a mistake never notices.

use std::fs;

use proc_macro2::{Ident, Span};

/// Where a cached function stands.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Place {
    /// In a module or a block: a type of its name can stand beside it.
    Free,
    /// In an `impl`: only functions can stand beside it.
    Associated,
}

/// What stands around a function.
#[derive(Default, PartialEq, Debug)]
pub(crate) struct Around {
    /// What its nearest braces are.
    pub(crate) within: Within,
    /// Whether a `mod`, a type or a trait of its name stands beside it: what that is called.
    pub(crate) namesake: Option<&'static str>,
    /// Whether another function of its name, such as the one of a trait, gives a `Lease`.
    pub(crate) leased_elsewhere: bool,
}

/// What braces belong to.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub(crate) enum Within {
    /// A module, a function, or the file itself.
    #[default]
    Scope,
    /// `impl Type { … }`
    Impl,
    /// `impl Trait for Type { … }`, or the trait itself.
    Trait,
}

/// Reads the file of a function's name.
pub(crate) fn around(name: &Ident) -> Around {
    let span: Span = name.span();
    let unwrapped = span.unwrap();
    // Of what another macro wrote nothing stands in the file.
    if span.source_text().as_deref() != Some(&name.to_string()) {
        return Around::default();
    }
    let source = unwrapped
        .local_file()
        .and_then(|file| fs::read_to_string(file).ok());
    let around = source.and_then(|source| {
        let offset = offset(&source, unwrapped.line(), unwrapped.column())?;
        look(&source, offset)
    });
    around.unwrap_or_default()
}

/// Where this line and column are, both counted from 1.
fn offset(source: &str, line: usize, column: usize) -> Option<usize> {
    let ends = source.match_indices('\n').map(|(end, _)| end + 1);
    let start = std::iter::once(0).chain(ends).nth(line.checked_sub(1)?)?;
    let rest = &source[start..];
    let (within, _) = rest.char_indices().nth(column.checked_sub(1)?)?;
    Some(start + within)
}

/// What stands around the function whose name is at this offset.
fn look(source: &str, offset: usize) -> Option<Around> {
    let name = Words(&source[offset..]).next()?;
    // The braces under way: what they are, and which they are among all.
    let mut levels = vec![(Within::Scope, 0)];
    let mut opened = 0;
    let mut header: Vec<&str> = Vec::new();
    let mut found = None;
    let mut namesakes = Vec::new();
    let mut leased_elsewhere = false;
    let mut words = Words(source);
    while let Some(word) = words.next() {
        let level = *levels.last()?;
        if matches!(word, "{" | ";") {
            let declares = header.windows(2).any(|pair| pair == ["fn", name]);
            leased_elsewhere |= declares && header.contains(&"Lease");
        }
        match word {
            "{" => {
                opened += 1;
                levels.push((within(&header), opened));
                header.clear();
            }
            "}" => {
                // The file itself has no braces.
                levels.truncate(levels.len().saturating_sub(1).max(1));
                header.clear();
            }
            ";" => header.clear(),
            word => {
                let before = header.last().copied();
                // Of two items with conditions, each may stand where the other does not.
                let always = !header.contains(&"cfg");
                if word == name && before == Some("fn") {
                    let at = source.len() - words.0.len() - word.len();
                    if at == offset {
                        found = Some((level, always));
                    }
                } else if word == name && always {
                    let kind = TYPES.into_iter().find(|kind| before == Some(kind));
                    namesakes.extend(kind.map(|kind| (kind, level)));
                }
                header.push(word);
            }
        }
    }
    let (found, always) = found?;
    let namesake = namesakes
        .iter()
        .find(|(_, level)| always && *level == found);
    Some(Around {
        within: found.0,
        namesake: namesake.map(|(kind, _)| *kind),
        leased_elsewhere,
    })
}

/// The items that share their names with a function, but not with a type.
const TYPES: [&str; 6] = ["mod", "struct", "enum", "trait", "type", "union"];

/// What the braces behind these words belong to. The first keyword tells: a function may return an
/// `impl`, and an `impl` may be for a `fn`.
fn within(header: &[&str]) -> Within {
    let first = header.iter().find(|word| {
        matches!(
            **word,
            "fn" | "impl" | "trait" | "mod" | "struct" | "enum" | "let" | "="
        )
    });
    match first {
        Some(&"impl") if is_of_trait(header) => Within::Trait,
        Some(&"impl") => Within::Impl,
        Some(&"trait") => Within::Trait,
        _ => Within::Scope,
    }
}

/// Whether there is a `for` that is not one of `for<'a>`.
fn is_of_trait(header: &[&str]) -> bool {
    let mut pairs = header.windows(2);
    pairs.any(|pair| pair[0] == "for" && pair[1] != "<")
}

/// The words of a source, and single characters; without comments, texts and lifetimes.
struct Words<'a>(&'a str);

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let rest = self.0;
            let first = rest.chars().next()?;
            let (length, counts) = match first {
                _ if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), false),
                _ if rest.starts_with("/*") => (comment(rest), false),
                '"' => (text(rest), false),
                '\'' => (quoted(rest), false),
                _ if is_word(first) => match raw(rest) {
                    Some(length) => (length, false),
                    None => (rest.find(|c| !is_word(c)).unwrap_or(rest.len()), true),
                },
                _ => (first.len_utf8(), !first.is_whitespace()),
            };
            self.0 = &rest[length..];
            if counts {
                return Some(&rest[..length]);
            }
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of a comment, which may have others in it.
fn comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while let Some(next) = rest[at..].find(['/', '*']).map(|next| at + next) {
        let (step, change) = match rest.get(next..next + 2) {
            Some("/*") => (2, 1),
            Some("*/") => (2, -1),
            _ => (1, 0),
        };
        at = next + step;
        depth += change;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// The length of a text in quotes.
fn text(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    rest.len()
}

/// The length of a character, or of the quote of a lifetime.
fn quoted(rest: &str) -> usize {
    let mut inner = rest[1..].chars();
    match (inner.next(), inner.next()) {
        (Some('\\'), Some(escaped)) => {
            let behind = 2 + escaped.len_utf8();
            rest[behind..]
                .find('\'')
                .map_or(rest.len(), |end| behind + end + 1)
        }
        (Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 1,
    }
}

/// The length of a raw text, if it is one.
fn raw(rest: &str) -> Option<usize> {
    let start = ["br", "cr", "r"]
        .iter()
        .find_map(|start| rest.strip_prefix(start))?;
    let hashes = start.len() - start.trim_start_matches('#').len();
    let inner = start[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let behind = inner.find(&end).map_or(inner.len(), |at| at + end.len());
    Some(rest.len() - inner.len() + behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands around the function `it`.
    fn around(source: &str) -> Around {
        look(source, source.find("fn it").unwrap() + 3).unwrap()
    }

    #[test]
    fn r8_the_braces_around_a_function_are_told_apart() {
        for (source, within) in [
            ("fn it() {}", Within::Scope),
            ("mod a { impl X { fn b() {} } fn it() {} }", Within::Scope),
            ("fn a() -> impl Fn() { fn it() {} }", Within::Scope),
            ("impl X { fn it() {} }", Within::Impl),
            (
                "impl<F: for<'a> Fn(&'a str)> X<F> { fn it() {} }",
                Within::Impl,
            ),
            ("impl X { fn a() { fn it() {} } }", Within::Scope),
            ("impl T for X { fn a() {} fn it() {} }", Within::Trait),
            ("pub trait T: Sized { fn it() {} }", Within::Trait),
            ("#[a] unsafe impl X { fn it() {} }", Within::Impl),
        ] {
            assert_eq!(around(source).within, within, "{source}");
        }
    }

    #[test]
    fn r8_what_only_looks_like_braces_does_not_count() {
        for noise in [
            "// impl X {\n",
            "/* impl /* X */ { */",
            r#" const A: &str = "impl X { \" {"; "#,
            "const A: &str = r#\"impl \" X {\"#;",
            "const A: char = '{'; const B: char = '\\''; const C: &'static str = \"\";",
            "const A: char = '\\u{7b}';",
        ] {
            let source = format!("{noise} fn it() {{}}");
            assert_eq!(around(&source), Around::default(), "{source}");
            let source = format!("impl X {{ {noise} fn it() {{}} }}");
            assert_eq!(around(&source).within, Within::Impl, "{source}");
        }
    }

    #[test]
    fn r8_the_function_of_a_trait_is_found() {
        let leased = |source| around(source).leased_elsewhere;
        assert!(leased(
            "trait T { fn it(&self) -> Lease<u8>; } impl T for X { fn it() {} }"
        ));
        assert!(!leased(
            "trait T { fn it(&self) -> u8; } impl T for X { fn it() {} }"
        ));
        assert!(!leased(
            "fn other() -> Lease<u8> {} impl T for X { fn it() {} }"
        ));
    }

    #[test]
    fn r8_a_namesake_is_one_only_beside_the_function() {
        let of = |source| around(source).namesake;
        assert_eq!(of("mod it; fn it() {}"), Some("mod"));
        assert_eq!(of("fn it() {} pub mod it {}"), Some("mod"));
        assert_eq!(of("fn a() { struct it; fn it() {} }"), Some("struct"));
        assert_eq!(of("mod a { pub mod it {} } fn it() {}"), None);
        assert_eq!(of("mod it { fn it() {} }"), None);
        assert_eq!(of("mod item; fn it() {}"), None);
        assert_eq!(of("#[cfg(a)] mod it; #[cfg(not(a))] fn it() {}"), None);
        assert_eq!(of("mod it; #[cfg(a)] fn it() {}"), None);
    }
}
