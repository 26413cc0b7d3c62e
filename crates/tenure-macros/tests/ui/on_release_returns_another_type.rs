#[tenure::cache_resource(on_release = count)]
fn now() -> String {
    String::new()
}

fn count(text: String) -> usize {
    text.len()
}

#[tenure::cache_resource(on_release = count_later)]
fn later() -> String {
    String::new()
}

async fn count_later(text: String) -> usize {
    text.len()
}

fn main() {}
