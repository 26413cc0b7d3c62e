struct Pool;

impl Pool {
    #[tenure::cache_resource]
    fn open(key: &str) -> String {
        key.into()
    }
}

fn main() {
    let _: tenure::Lease<String> = Pool::open("x");
    Pool::open_clear();
}
