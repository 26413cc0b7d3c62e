#[tenure::cache_resource]
struct Pool {
    size: u32,
}

fn main() {
    let _ = Pool { size: 1 };
}
