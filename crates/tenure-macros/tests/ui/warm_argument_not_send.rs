use std::rc::Rc;

#[tenure::cache_resource]
fn model(name: Rc<str>) -> usize {
    name.len()
}

fn main() {
    let _: tenure::Lease<usize> = model("base".into());
    model::warm([Rc::from("base")]);
}
