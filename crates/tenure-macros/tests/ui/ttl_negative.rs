#[tenure::cache_resource(ttl = -5)]
fn pool() -> u32 {
    1
}

fn main() {
    let _: tenure::Lease<u32> = pool();
}
