struct Sessionmaker;

#[tenure::cache_resource]
fn pool(maker: &Sessionmaker, url: &str) -> usize {
    let _ = maker;
    url.len()
}

fn main() {
    let _: tenure::Lease<usize> = pool(&Sessionmaker, "a");
}
