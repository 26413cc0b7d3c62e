#[tenure::cache_resource(max_weight = 8_000_000_000)]
fn model() -> u32 {
    1
}

fn main() {
    let _: tenure::Lease<u32> = model();
}
