struct Sessionmaker;

#[derive(tenure::CacheKey)]
struct Settings {
    pub url: String,
    pub maker: Sessionmaker,
}

fn main() {
    let _ = Settings { url: String::new(), maker: Sessionmaker };
}
