//! Pictures of the Mandelbrot set, in a window whose code runs again at each frame.
//!
//! A frame asks for everything it shows by calling cached functions, as if each call made it anew. What is slow, the
//! pixels, is made once for all windows, and meanwhile the window goes on; a texture is made from them once for each
//! window, since one window's means nothing in another, and is given back with it.

use egui::{ColorImage, Context, TextureHandle, TextureOptions, Ui, vec2};
use tenure::{Session, Warming, cache_resource};

const SIDE: usize = 256;

/// The pixels of a picture: slow, and the same for all. The budget is in bytes.
#[cache_resource(weight = |it: &ColorImage| (it.pixels.len() * 4) as u64, max_weight = 64_000_000)]
pub fn pixels(depth: u32) -> ColorImage {
    let mut image = ColorImage::filled([SIDE, SIDE], egui::Color32::BLACK);
    for (number, pixel) in image.pixels.iter_mut().enumerate() {
        let place = |at: usize| at as f32 / SIDE as f32;
        let (re, im) = (
            place(number % SIDE) * 3.0 - 2.0,
            place(number / SIDE) * 3.0 - 1.5,
        );
        let (mut x, mut y, mut steps) = (0.0_f32, 0.0_f32, 0);
        while steps < depth && x * x + y * y < 4.0 {
            (x, y) = (x * x - y * y + re, 2.0 * x * y + im);
            steps += 1;
        }
        *pixel = egui::Color32::from_gray((255 * steps / depth.max(1)) as u8);
    }
    image
}

/// The texture of a picture, in the window that this code serves. Its release is its drop, by which egui frees it.
#[cache_resource(scope = "session")]
pub fn texture(depth: u32, _context: &Context) -> TextureHandle {
    let image = ColorImage::clone(&pixels(depth));
    _context.load_texture(
        format!("mandelbrot {depth}"),
        image,
        TextureOptions::NEAREST,
    )
}

/// A window and what it shows.
pub struct Window {
    /// The window is the session: what was made for it ends with it, and another window has its own.
    session: Session,
    pub depth: u32,
    /// The picture that is being made, so that frames which come meanwhile do not ask again.
    making: Option<(u32, Warming)>,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            session: Session::new(),
            depth: 50,
            making: None,
        }
    }
}

impl Window {
    /// Shows a frame.
    pub fn show(&mut self, ui: &mut Ui) {
        // Its own handle, since what is shown changes the window.
        self.session.clone().run(|| self.contents(ui));
    }

    fn contents(&mut self, ui: &mut Ui) {
        ui.horizontal(|ui| {
            for depth in [50, 500, 5000] {
                ui.selectable_value(&mut self.depth, depth, format!("{depth} steps"));
            }
            if ui.button("Clear").clicked() {
                texture::clear(); // of this window alone
                pixels::clear();
            }
        });
        if pixels::contains(self.depth) {
            self.making = None;
            // The lease ends with the frame; the entry keeps the texture.
            let texture = texture(self.depth, ui.ctx());
            ui.image((texture.id(), vec2(SIDE as f32, SIDE as f32)));
            ui.label(format!("{} pictures were made", pixels::info().builds));
        } else {
            if self
                .making
                .as_ref()
                .is_none_or(|(depth, made)| *depth != self.depth || made.is_ready())
            {
                self.making = Some((self.depth, pixels::warm([self.depth])));
            }
            ui.spinner(); // has egui draw the next frame soon
            ui.label("being made");
        }
    }
}
