fn check(text: &String) -> bool {
    text.is_empty()
}

#[tenure::cache_resource(validate = check)]
fn pool() -> u32 {
    1
}

fn main() {
    let _: tenure::Lease<u32> = pool();
}
