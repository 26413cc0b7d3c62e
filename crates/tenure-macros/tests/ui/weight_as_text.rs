#[tenure::cache_resource(weight = "8GB")]
fn model() -> u32 {
    1
}

fn main() {
    let _: tenure::Lease<u32> = model();
}
