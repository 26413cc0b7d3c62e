#[derive(Hash)]
struct Currency(&'static str);

#[tenure::cache_resource(ttl = "1h", refresh_mode = "background", build_timeout = "30s")]
fn rate(currency: Currency, digits: u32) -> usize {
    currency.0.len() + digits as usize
}

fn main() {
    let _: tenure::Lease<usize> = rate(Currency("euro"), 2);
}
