#[tenure::cache_resource]
fn pool(#[key(ignore)] url: &str) -> usize {
    url.len()
}

fn main() {}
