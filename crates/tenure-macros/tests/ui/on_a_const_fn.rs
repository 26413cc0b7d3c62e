#[tenure::cache_resource]
const fn pool() -> u32 {
    1
}

fn main() {
    let _ = pool();
}
