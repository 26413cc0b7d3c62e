#[tenure::cache_resource]
extern "C" fn pool() -> u32 {
    1
}

fn main() {}
