#[derive(tenure::CacheKey)]
#[key(skip)]
struct Address {
    url: String,
}

fn main() {
    let _ = Address { url: String::new() }.url;
}
