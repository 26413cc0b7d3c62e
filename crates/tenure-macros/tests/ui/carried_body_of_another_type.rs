#[tenure::cache_resource]
async fn pool(host: &str) -> u32 {
    host.to_owned()
}

fn main() {}
