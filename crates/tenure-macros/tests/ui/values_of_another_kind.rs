#[tenure::cache_resource(max_entries = -1)]
fn negative() -> u32 {
    1
}

#[tenure::cache_resource(max_entries = "8")]
fn text() -> u32 {
    1
}

#[tenure::cache_resource(ttl = true)]
fn switched() -> u32 {
    1
}

#[tenure::cache_resource(drain = -1)]
fn undrained() -> u32 {
    1
}

#[tenure::cache_resource(drain = "soon")]
fn drained() -> u32 {
    1
}

#[tenure::cache_resource(show_time = "yes")]
fn timed() -> u32 {
    1
}

#[tenure::cache_resource(observes = 1)]
fn observing() -> u32 {
    1
}

#[tenure::cache_resource(on_release = "close")]
fn closing() -> u32 {
    1
}

fn main() {
    let _: [tenure::Lease<u32>; 8] = [
        negative(),
        text(),
        switched(),
        undrained(),
        drained(),
        timed(),
        observing(),
        closing(),
    ];
}
