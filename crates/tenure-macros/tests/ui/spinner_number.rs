#[tenure::cache_resource(show_spinner = 1)]
fn pool() -> u32 {
    1
}

fn main() {
    let _: tenure::Lease<u32> = pool();
}
