fn close(_: &String) {}

#[tenure::cache_resource(on_release = close)]
fn pool() -> String {
    String::new()
}

fn main() {
    let _: tenure::Lease<String> = pool();
}
