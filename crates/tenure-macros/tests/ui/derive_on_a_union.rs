#[derive(tenure::CacheKey)]
union Bits {
    float: f32,
    int: u32,
}

fn main() {
    let _ = Bits { int: 1 };
}
