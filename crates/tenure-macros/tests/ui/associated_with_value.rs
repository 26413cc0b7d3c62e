struct Library;

impl Library {
    #[tenure::cache_resource(associated = true)]
    fn count() -> u32 {
        7
    }
}

fn main() {
    let _: tenure::Lease<u32> = Library::count();
}
