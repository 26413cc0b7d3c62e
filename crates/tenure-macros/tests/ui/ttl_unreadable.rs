#[tenure::cache_resource(ttl = "1 fortnight")]
fn pool() -> u32 {
    1
}

fn main() {
    let _: tenure::Lease<u32> = pool();
    pool::clear();
}
