#[tenure::cache_resource]
fn pool(urls: ...) -> u32 {
    1
}

fn main() {}
