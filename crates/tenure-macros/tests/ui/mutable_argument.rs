#[tenure::cache_resource]
fn fill(rows: &mut Vec<u32>) -> u32 {
    rows.push(7);
    1
}

#[tenure::cache_resource]
fn hidden(pair: (u32, Option<&mut u32>)) -> u32 {
    pair.0
}

#[derive(Hash)]
struct Counter(u32);

impl Counter {
    #[tenure::cache_resource]
    fn next(&mut self) -> u32 {
        self.0 += 1;
        self.0
    }
}

#[tenure::cache_resource]
fn fine(_bar: &mut u32, #[key(skip)] log: &mut Vec<u32>, #[key(skip)] each: fn(&mut u32)) -> u32 {
    each(_bar);
    log.push(*_bar);
    1
}

fn main() {
    let _ = fine(&mut 1, &mut Vec::new(), |_| ());
}
