#[tenure::cache_resource(tags = |tenant| format!("tenant:{tenant}"))]
fn client(tenant: &str) -> usize {
    tenant.len()
}

fn main() {
    let _: tenure::Lease<usize> = client("here");
}
