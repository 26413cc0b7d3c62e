#[tenure::cache_resource(ttl = "1h", refresh_mode = "background", carry = false)]
async fn rate() -> u32 {
    1
}

async fn rates() -> tenure::Lease<u32> {
    rate().await
}

fn main() {
    drop(rates());
}
