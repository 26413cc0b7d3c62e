struct AppError;
type Fallible<T> = Result<T, AppError>;

#[tenure::cache_resource]
fn pool(url: &str) -> Fallible<usize> {
    Ok(url.len())
}

#[tenure::cache_resource]
fn of<T: Send + Sync + 'static>(rows: Vec<u8>) -> Fallible<Vec<T>> {
    let _ = rows;
    Ok(Vec::new())
}

fn main() {
    let _ = pool("a");
    let _ = of::<u8>(Vec::new());
}
