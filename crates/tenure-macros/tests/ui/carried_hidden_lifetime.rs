use std::borrow::Cow;

#[tenure::cache_resource]
async fn pool(host: Cow<str>) -> usize {
    host.len()
}

fn main() {}
