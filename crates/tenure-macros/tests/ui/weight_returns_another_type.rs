#[tenure::cache_resource(weight = |model: &f64| model * 2.0)]
fn model() -> f64 {
    1.0
}

fn main() {
    let _: tenure::Lease<f64> = model();
}
