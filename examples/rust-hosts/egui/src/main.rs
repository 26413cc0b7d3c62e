//! ```text
//! cargo run --manifest-path examples/rust-hosts/Cargo.toml -p tenure-egui-example --features window
//! ```

use eframe::egui::CentralPanel;
use tenure_egui_example::Window;

struct App(Window);

impl eframe::App for App {
    fn update(&mut self, context: &egui::Context, _frame: &mut eframe::Frame) {
        CentralPanel::default().show(context, |ui| self.0.show(ui));
    }
}

fn main() -> eframe::Result {
    let _released = tenure::shutdown_on_drop();
    eframe::run_native(
        "Tenure and egui",
        eframe::NativeOptions::default(),
        Box::new(|_| Ok(Box::new(App(Window::default())))),
    )
}
