use tenure::Lease;

trait Repo {
    fn pool(&self) -> Lease<String>;

    #[tenure::cache_resource]
    fn given(&self) -> u32 {
        7
    }
}

#[derive(Hash)]
struct Users;

impl Repo for Users {
    #[tenure::cache_resource]
    fn pool(&self) -> String {
        "x".into()
    }
}

trait Plain {
    fn open(key: u32) -> String;
}

impl Plain for Users {
    #[tenure::cache_resource]
    fn open(key: u32) -> String {
        key.to_string()
    }
}

fn main() {
    let _ = Users.pool();
}
