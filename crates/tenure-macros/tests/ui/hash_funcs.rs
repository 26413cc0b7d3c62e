#[tenure::cache_resource(hash_funcs = { Person: name })]
fn pool() -> u32 {
    1
}

fn main() {
    let _: tenure::Lease<u32> = pool();
}
