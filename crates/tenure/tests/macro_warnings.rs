//! What the attribute expands to under the lints of a strict program: what is fine as it was written gives no
//! warning (R8).
#![deny(warnings)]

use futures_executor::block_on;
use on_one_line::{blocking, blocking_of, fallible, one_line, one_line_of, stays};

#[rustfmt::skip]
mod on_one_line {
    use tenure::cache_resource;

    #[cache_resource]
    pub async fn one_line() -> u32 { 7 }

    #[cache_resource]
    pub async fn one_line_of(name: &str) -> String { name.to_owned() }

    #[cache_resource]
    pub async fn fallible() -> Result<u32, String> { Ok(7) }

    #[cache_resource(carry = false)]
    pub async fn stays() -> u32 { 7 }

    #[cache_resource]
    pub fn blocking() -> u32 { 7 }

    #[cache_resource]
    pub fn blocking_of(name: &str) -> Result<String, String> { Ok(name.to_owned()) }
}

#[test]
fn r8_a_function_on_one_line_warns_of_nothing() {
    block_on(async {
        assert_eq!(*one_line().await, 7);
        assert_eq!(*one_line_of("a").await, "a");
        assert_eq!(*fallible().await.unwrap(), 7);
        assert_eq!(*stays().await, 7);
    });
    assert_eq!(*blocking(), 7);
    assert_eq!(*blocking_of("a").unwrap(), "a");
}
