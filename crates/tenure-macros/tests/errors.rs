//! R8: one mistake in the attribute gives one error, on the right token, with what to write
//! instead.

#[test]
fn r8_one_mistake_gives_one_error_that_says_what_to_write() {
    let tests = trybuild::TestCases::new();
    tests.compile_fail("tests/ui/*.rs");
}
