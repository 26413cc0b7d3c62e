#[tenure::cache_resource]
fn pool(url: &str) -> &str {
    url
}

fn main() {}
