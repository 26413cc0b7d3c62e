#[tenure::cache_resource(build_timeout = "0s")]
fn model() -> u32 {
    1
}

fn main() {
    let _: tenure::Lease<u32> = model();
}
