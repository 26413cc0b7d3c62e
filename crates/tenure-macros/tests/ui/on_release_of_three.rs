#[tenure::cache_resource(on_release = |pool, cause, more| drop((pool, cause, more)))]
fn closure() -> String {
    String::new()
}

#[tenure::cache_resource(on_release = || {})]
fn empty() -> String {
    String::new()
}

fn close(_: String, _: u32) {}

#[tenure::cache_resource(on_release = close)]
fn path() -> String {
    String::new()
}

fn main() {}
