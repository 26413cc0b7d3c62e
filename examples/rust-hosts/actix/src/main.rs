//! ```text
//! cargo run --manifest-path examples/rust-hosts/Cargo.toml -p tenure-actix-example -- 127.0.0.1:3000
//! curl -X POST --cookie-jar jar --cookie jar -d pears http://127.0.0.1:3000/basket
//! ```
//!
//! Ctrl-C and SIGTERM end it: actix-web answers what is under way, then everything is released.

use actix_web::{App, HttpServer};
use tenure_actix_example::{connected, routes};

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let server = HttpServer::new(|| App::new().configure(routes))
        .on_connect(connected)
        .bind(&address)?;
    for bound in server.addrs() {
        println!("http://{bound}");
    }
    server.run().await?;
    if !tenure::shutdown_async().await {
        eprintln!("something was still in use");
    }
    Ok(())
}
