use std::cell::Cell;
use std::rc::Rc;

#[tenure::cache_resource]
fn neither(key: &str) -> Rc<String> {
    Rc::new(key.into())
}

fn main() {
    let _ = neither("x").len();
    neither::clear();
}

#[tenure::cache_resource(ttl = "1h", validate = |it| it.get() > 0, on_release = |it| drop(it))]
fn not_sync(key: u32) -> Cell<u32> {
    Cell::new(key)
}

#[tenure::cache_resource]
async fn later(key: u32) -> Rc<u32> {
    Rc::new(key)
}

#[tenure::cache_resource]
fn fallible(key: u32) -> Result<Rc<u32>, String> {
    Ok(Rc::new(key))
}

struct Owner;

impl Owner {
    #[tenure::cache_resource(associated)]
    fn method(key: u32) -> Rc<u32> {
        Rc::new(key)
    }
}
