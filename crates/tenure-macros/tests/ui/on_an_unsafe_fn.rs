#[tenure::cache_resource]
unsafe fn pool() -> u32 {
    1
}

fn main() {}
