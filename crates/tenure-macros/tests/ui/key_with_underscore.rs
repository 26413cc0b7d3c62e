fn length(text: &str) -> usize {
    text.len()
}

#[tenure::cache_resource]
fn pool(#[key(with = length)] _url: &str) -> usize {
    length("a")
}

fn main() {}
