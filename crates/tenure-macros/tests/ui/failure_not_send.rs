use std::error::Error;

#[tenure::cache_resource]
fn port(text: &str) -> Result<u32, Box<dyn Error>> {
    Ok(text.parse()?)
}

#[tenure::cache_resource]
async fn later(text: &str) -> Result<u32, Box<dyn Error + Send>> {
    Ok(text.len() as u32)
}

type LocalResult<T> = Result<T, std::rc::Rc<str>>;

#[tenure::cache_resource]
fn local(text: &str) -> LocalResult<u32> {
    text.parse().map_err(|_| "no number".into())
}

fn main() {
    let _ = (port("1"), local("1"));
}
