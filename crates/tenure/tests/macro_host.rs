//! What the attribute says of spinners reaches the host (R1). A test program of its own, since it
//! sets the host of all functions.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use tenure::{
    BuildStart, Host, HostBuild, Interrupt, Recording, SessionId, cache_resource, set_host,
};

/// What the host was told of a build.
#[derive(Debug, PartialEq)]
struct Told {
    function: String,
    text: Option<String>,
    show_time: bool,
    observes: bool,
}

struct Tells(Sender<Told>);

impl Host for Tells {
    fn session(&self) -> Result<Option<SessionId>, Interrupt> {
        Ok(None)
    }

    fn begin(&self, start: &BuildStart<'_>) -> Result<Option<Arc<dyn HostBuild>>, Interrupt> {
        let told = Told {
            function: start.function.to_owned(),
            text: start.text.clone(),
            show_time: start.show_time,
            observes: start.observes,
        };
        self.0.send(told).expect("the test listens");
        Ok(None)
    }

    fn replay(&self, _: &Recording) -> Result<(), Interrupt> {
        Ok(())
    }
}

#[test]
fn r1_what_the_attribute_says_of_spinners_reaches_the_host() {
    #[cache_resource]
    fn bare() -> u32 {
        1
    }

    #[cache_resource(show_spinner = true, show_time = false, observes = false)]
    fn spelled_out(of: u32) -> u32 {
        of
    }

    #[cache_resource(show_spinner = "Loading", show_time = true)]
    fn timed(of: u32) -> u32 {
        of
    }

    #[cache_resource(show_spinner = false)]
    fn silent() -> u32 {
        1
    }

    #[cache_resource(observes = true)]
    async fn observing() -> u32 {
        1
    }

    let (tell, told) = channel();
    set_host(Tells(tell));
    let _ = (bare(), spelled_out(1), timed(1), silent());
    let _ = futures_executor::block_on(observing());
    let text = |text: &str| Some(text.to_owned());
    let expected = [
        ("bare", text("Running `bare()`."), false, false),
        (
            "spelled_out",
            text("Running `spelled_out(...)`."),
            false,
            false,
        ),
        ("timed", text("Loading"), true, false),
        ("silent", None, false, false),
        ("observing", text("Running `observing()`."), false, true),
    ];
    let expected = expected.map(|(function, text, show_time, observes)| Told {
        function: function.to_owned(),
        text,
        show_time,
        observes,
    });
    assert_eq!(told.try_iter().collect::<Vec<_>>(), expected);
}
