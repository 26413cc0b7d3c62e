#[tenure::cache_resource(ttl = "1h", refresh_mode = "lazily")]
fn rate() -> u32 {
    1
}

fn main() {
    let _: tenure::Lease<u32> = rate();
}
