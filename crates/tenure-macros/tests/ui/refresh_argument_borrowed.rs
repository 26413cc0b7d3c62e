#[derive(Hash)]
struct Currency(&'static str);

#[tenure::cache_resource(ttl = "1h", refresh_mode = "ahead")]
fn rate(digits: u32, currency: &Currency) -> usize {
    currency.0.len() + digits as usize
}

fn main() {
    let _: tenure::Lease<usize> = rate(2, &Currency("euro"));
}
