#[tenure::cache_resource(tags = |tenant| [format!("tenant:{tenant}")])]
fn client(tenant: &str, shard: u32) -> usize {
    tenant.len() + shard as usize
}

fn main() {
    let _: tenure::Lease<usize> = client("here", 1);
}
