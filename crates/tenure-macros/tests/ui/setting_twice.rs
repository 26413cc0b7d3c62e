#[tenure::cache_resource(ttl = "1h", ttl = "2h")]
fn pool() -> u32 {
    1
}

fn main() {
    let _: tenure::Lease<u32> = pool();
}
