#[tenure::cache_resource(ttl = |token: &u64| *token)]
fn token() -> u64 {
    60
}

fn main() {
    let _: tenure::Lease<u64> = token();
}
