#[tenure::cache_resource]
fn pool(#[key(skip, with = str::len)] url: &str) -> usize {
    url.len()
}

fn main() {}
