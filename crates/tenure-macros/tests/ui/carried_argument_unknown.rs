#[tenure::cache_resource]
async fn pool(size: u32, host: Host) -> u32 {
    size
}

fn main() {}
