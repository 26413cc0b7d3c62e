fn size(text: &String) -> usize {
    text.len()
}

#[tenure::cache_resource(keep_if = size)]
fn pool() -> String {
    String::new()
}

#[tenure::cache_resource(keep_if = true)]
fn literal() -> String {
    String::new()
}

#[tenure::cache_resource(keep_if = async |it: &String| !it.is_empty())]
async fn later() -> String {
    String::new()
}

fn main() {}
