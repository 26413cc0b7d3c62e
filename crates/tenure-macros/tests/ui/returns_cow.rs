use std::borrow::Cow;

struct Row<'a>(&'a str);

#[tenure::cache_resource]
fn elided(key: &str) -> Cow<'_, str> {
    key.into()
}

#[tenure::cache_resource]
fn named<'a>(key: &'a str) -> Vec<Row<'a>> {
    vec![Row(key)]
}

#[tenure::cache_resource]
fn within(key: &str) -> Result<Option<&str>, String> {
    Ok(Some(key))
}

#[tenure::cache_resource]
fn fine(key: &str) -> Vec<Box<dyn for<'a> Fn(&'a str) -> &'a str + Send + Sync + 'static>> {
    let _ = key;
    Vec::new()
}

fn main() {
    let _ = (elided("a"), named("a"), within("a"), fine("a"));
}
