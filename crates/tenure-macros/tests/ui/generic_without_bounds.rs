#[tenure::cache_resource]
fn table<T>(rows: usize) -> Vec<T> {
    Vec::with_capacity(rows)
}

#[tenure::cache_resource]
fn fallible<T: Default>(rows: usize) -> Result<T, String> {
    let _ = rows;
    Ok(T::default())
}

#[tenure::cache_resource]
fn borrowing<T: Send + Sync>(rows: usize) -> Vec<T> {
    Vec::with_capacity(rows)
}

#[tenure::cache_resource]
async fn later<T: Send>(rows: usize) -> Vec<T> {
    Vec::with_capacity(rows)
}

fn main() {
    let _ = table::<u8>(1);
}
