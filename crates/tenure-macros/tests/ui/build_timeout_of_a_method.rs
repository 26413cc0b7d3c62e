#[derive(Hash)]
struct Bank(u32);

impl Bank {
    #[tenure::cache_resource(build_timeout = "30s")]
    fn rate(&self, currency: &str) -> usize {
        currency.len() + self.0 as usize
    }
}

fn main() {
    let _: tenure::Lease<usize> = Bank(1).rate("euro");
}
