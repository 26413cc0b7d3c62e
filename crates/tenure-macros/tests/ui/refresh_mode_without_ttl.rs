#[tenure::cache_resource(refresh_mode = "background")]
fn rate() -> u32 {
    1
}

fn main() {
    let _: tenure::Lease<u32> = rate();
}
