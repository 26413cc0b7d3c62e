const LONG: &str = "1h";

#[tenure::cache_resource(ttl = LONG)]
fn pool() -> u32 {
    1
}

fn main() {
    let _: tenure::Lease<u32> = pool();
}
