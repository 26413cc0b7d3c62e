#[tenure::cache_resource(max_entires = 8)]
fn pool() -> u32 {
    1
}

fn main() {
    let _: tenure::Lease<u32> = pool();
}
