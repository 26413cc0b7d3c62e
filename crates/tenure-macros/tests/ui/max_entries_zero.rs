#[tenure::cache_resource(ttl = "1h", max_entries = 0)]
fn pool(url: &str) -> usize {
    url.len()
}

fn main() {
    let _: tenure::Lease<usize> = pool("a");
}
