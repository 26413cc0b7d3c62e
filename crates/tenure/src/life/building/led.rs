//! The builds that a thread has to go on with, for the moment that it ends and cannot.
//!
//! A thread of its own ends after its builds: they are frames of its stack. A strand is none: once
//! its thread has ended it never goes on, and nothing unwinds it. So what strands build is noted
//! with the thread, and handed on at its end. Where there are no strands, nothing is noted.
//!
//! Another thread hands it on: those who wait are woken, which may need the front door's interpreter,
//! and one that is about to end no longer knows where it stands with that.

use crate::ground::strand::{self, Layers, Strand};
use crate::ground::sync::{spawn, thread_local};

pub(crate) type HandOn = Box<dyn FnOnce() + Send>;

thread_local! {
    static LED: Led = const { Led(Layers::new()) };
}

struct Led(Layers<HandOn>);

impl Drop for Led {
    fn drop(&mut self) {
        let builds = self.0.take_all();
        if builds.is_empty() {
            return;
        }
        // Where there can be no more threads, the callers wait.
        let _ = spawn("tenure-heir", move || {
            for hand_on in builds {
                hand_on();
            }
        });
    }
}

/// A build is the present thread's for as long as this lives. To be dropped there.
pub(crate) struct OfThread(u64);

impl OfThread {
    /// The note of a duty, which is handed on by what `hand_on` gives if the thread ends first.
    pub(crate) fn begin(hand_on: impl FnOnce() -> HandOn) -> Option<Self> {
        strand::are_told().then(|| note(hand_on())).flatten()
    }
}

fn note(hand_on: HandOn) -> Option<OfThread> {
    let noted = LED.try_with(|led| led.0.put_for(Strand::THREAD, hand_on));
    // A thread that is about to end runs no strands.
    noted.ok().map(OfThread)
}

impl Drop for OfThread {
    fn drop(&mut self) {
        // Dropped outside the list, as everything that may run a destructor.
        let gone = LED.try_with(|led| led.0.take(self.0));
        drop(gone);
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn c4_what_a_thread_leaves_is_handed_on_at_its_end_and_nothing_else() {
        let (tell, hears) = channel();
        let told = move |number: u32| {
            let tell = tell.clone();
            Box::new(move || tell.send(number).unwrap())
        };
        std::thread::spawn(move || {
            let left = note(told(1));
            let landed = note(told(2));
            let also_left = note(told(3));
            drop(landed);
            std::mem::forget((left, also_left));
        })
        .join()
        .unwrap();
        assert_eq!(hears.iter().collect::<Vec<_>>(), [1, 3]);
    }
}
