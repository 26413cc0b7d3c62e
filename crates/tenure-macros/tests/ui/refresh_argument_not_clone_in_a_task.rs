#[derive(Hash)]
struct Currency(&'static str);

#[tenure::cache_resource(ttl = "1h", refresh_before = "5m")]
async fn rate(currency: Currency) -> usize {
    currency.0.len()
}

async fn rates() -> tenure::Lease<usize> {
    rate(Currency("euro")).await
}

fn main() {
    drop(rates());
}
