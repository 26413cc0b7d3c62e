#[tenure::cache_resource(warm = true)]
fn model(name: &Option<u32>) -> u32 {
    name.unwrap_or(1)
}

fn main() {
    let _: tenure::Lease<u32> = model(&None);
}
