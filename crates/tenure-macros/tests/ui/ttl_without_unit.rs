#![deny(deprecated)]

#[tenure::cache_resource(ttl = "3600")]
fn pool() -> u32 {
    1
}

fn main() {
    let _: tenure::Lease<u32> = pool();
}
