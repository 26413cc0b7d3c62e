mod config {
    pub const PATH: &str = "app.toml";
}

#[tenure::cache_resource]
fn config() -> String {
    config::PATH.into()
}

fn main() {
    let _: tenure::Lease<String> = config();
}
