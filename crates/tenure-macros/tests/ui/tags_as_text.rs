#[tenure::cache_resource(tags = "billing")]
fn pool() -> u32 {
    1
}

#[tenure::cache_resource(tags = ["billing", 7])]
fn mixed() -> u32 {
    1
}

#[tenure::cache_resource(tags = 7)]
fn number() -> u32 {
    1
}

fn main() {
    let _: tenure::Lease<u32> = pool();
}
