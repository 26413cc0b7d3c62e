async fn check(_: &u32) -> bool {
    true
}

#[tenure::cache_resource(validate = check)]
fn pool() -> u32 {
    1
}

fn main() {
    let _: tenure::Lease<u32> = pool();
}
