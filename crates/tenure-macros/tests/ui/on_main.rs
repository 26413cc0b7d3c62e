#[tenure::cache_resource]
fn main() {}
