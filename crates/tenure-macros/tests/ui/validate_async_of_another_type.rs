#[tenure::cache_resource(validate = check)]
async fn pool() -> u32 {
    1
}

fn check(pool: &u32) -> u32 {
    *pool
}

#[tenure::cache_resource(validate = check_later)]
async fn other() -> u32 {
    1
}

async fn check_later(pool: &u32) -> u32 {
    *pool
}

fn main() {}
