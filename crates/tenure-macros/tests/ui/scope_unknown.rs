#[tenure::cache_resource(scope = "user")]
fn pool() -> u32 {
    1
}

fn main() {
    let _: tenure::Lease<u32> = pool();
}
