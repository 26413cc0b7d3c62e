//! Frames without a screen: egui's own test harness runs them, and clicks (R5).
//!
//! One test: the cached functions are the process's, and so are their figures.

use std::time::{Duration, Instant};

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use tenure_egui_example::{Window, pixels, texture};

fn window() -> Harness<'static, Window> {
    Harness::new_ui_state(|ui, window: &mut Window| window.show(ui), Window::default())
}

/// Runs frames until one shows the picture.
fn until_shown(window: &mut Harness<'_, Window>) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while window
        .query_by_label_contains("pictures were made")
        .is_none()
    {
        assert!(Instant::now() < deadline, "the picture is never shown");
        window.step();
    }
}

/// The number of textures that a window's context has, beside that of its fonts.
fn textures(window: &Harness<'_, Window>) -> usize {
    window.ctx.tex_manager().read().num_allocated() - 1
}

#[test]
fn r5_frames_share_what_is_made_once_and_a_window_gives_back_its_textures() {
    let released = tenure::shutdown_on_drop();
    let mut first = window();
    until_shown(&mut first);
    first.run_steps(20);
    assert_eq!((pixels::info().builds, texture::info().builds), (1, 1));
    assert!(texture::info().hits >= 20);
    assert_eq!(textures(&first), 1);

    // Another window has the pixels, and a texture of its own.
    let mut second = window();
    until_shown(&mut second);
    assert_eq!((pixels::info().builds, texture::info().builds), (1, 2));
    assert_eq!((textures(&first), textures(&second)), (1, 1));

    first.get_by_label("500 steps").click();
    first.run_steps(2);
    until_shown(&mut first);
    assert_eq!(textures(&first), 2);

    // Cleared in this window: its textures go at once, those of the other one stay.
    first.get_by_label("Clear").click();
    first.run_steps(2);
    assert_eq!(first.state().depth, 500);
    until_shown(&mut first);
    assert_eq!((textures(&first), textures(&second)), (1, 1));
    // No frame has ever waited for a picture: a call that builds is a miss, and what is warmed is none.
    assert_eq!((pixels::info().builds, pixels::info().misses), (3, 0));

    // A window that is closed gives back what was made for it.
    let context = first.ctx.clone();
    drop(first);
    assert_eq!(texture::info().entries, 1);
    assert_eq!(context.tex_manager().read().num_allocated(), 1);
    drop(second);
    assert_eq!((texture::info().entries, pixels::info().entries), (0, 1));

    // The end of the program.
    drop(released);
    assert_eq!(pixels::info().entries, 0);
}
