#[tenure::cache_resource]
async fn pool(host: &str) -> std::rc::Rc<String> {
    host.to_owned().into()
}

fn main() {}
