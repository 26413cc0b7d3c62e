#[derive(Hash)]
struct Tenant(u32);

#[tenure::cache_resource(show_arguments = true)]
fn pool(host: &str, tenant: Tenant) -> usize {
    let _ = tenant.0;
    host.len()
}

fn main() {
    let _: tenure::Lease<usize> = pool("a", Tenant(1));
}
