//! An HTML page whose parts are recorded when they are first made, and put on the page again by
//! every later visit; a form field counts as an argument.
//!
//! ```text
//! cargo run -p tenure-examples --bin page -- 127.0.0.1:3000
//! ```
//!
//! Open the address, and change the field: each value's chart is made once, whoever asks for it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Query, State};
use axum::response::Html;
use axum::routing::get;
use tenure::{Stage, cache_resource, stage};
use tokio::net::TcpListener;

/// A part of a page.
enum Fragment {
    Heading(String),
    Paragraph(String),
    /// Bars, with the height of each between 0 and 100.
    Bars(Vec<u32>),
    /// A field of the page's form, with its value.
    Field(&'static str, u32),
}

impl fmt::Display for Fragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Heading(text) => write!(f, "<h2>{text}</h2>"),
            Self::Paragraph(text) => write!(f, "<p>{text}</p>"),
            Self::Bars(heights) => {
                write!(f, "<svg width=\"{}\" height=\"100\">", heights.len() * 8)?;
                for (number, height) in heights.iter().enumerate() {
                    let (x, y) = (number * 8, 100 - height);
                    write!(
                        f,
                        "<rect x=\"{x}\" y=\"{y}\" width=\"6\" height=\"{height}\"/>"
                    )?;
                }
                f.write_str("</svg>")
            }
            Self::Field(name, value) => write!(
                f,
                "<form>{name} <input type=number name={name} min=1 value={value}><button>Show</button></form>"
            ),
        }
    }
}

/// The page of one request: what is on it so far, and what its form was sent with.
struct Page {
    html: Mutex<String>,
    form: HashMap<String, String>,
}

impl Stage for Page {
    type Element = Fragment;
    type Input = Option<u32>;

    fn put(&self, fragment: &Fragment) {
        let mut html = self.html.lock().unwrap_or_else(PoisonError::into_inner);
        html.push_str(&fragment.to_string());
    }

    fn input(&self, id: &str) -> Option<u32> {
        self.form.get(id)?.parse().ok()
    }
}

/// Puts a form field on the page, and gives what the visitor has entered.
fn field(name: &'static str, default: u32) -> u32 {
    let value = stage::input::<Option<u32>>(name).flatten();
    let value = value.unwrap_or(default);
    stage::put(Fragment::Field(name, value));
    value
}

/// How often each digit leads among the first powers of a number.
struct Leading {
    counts: [u32; 9],
}

/// Counts, and shows what it counted. How many powers it takes is up to the form.
#[cache_resource(max_entries = 100, observes = true, show_spinner = false)]
fn leading_digits(base: u32) -> Leading {
    stage::put(Fragment::Heading(format!("Powers of {base}")));
    let powers = field("powers", 100).clamp(1, 10_000);
    let mut counts = [0; 9];
    let mut digits = vec![1u32];
    for _ in 0..powers {
        let mut carry = 0;
        for digit in &mut digits {
            carry += *digit * base;
            *digit = carry % 10;
            carry /= 10;
        }
        while carry > 0 {
            digits.push(carry % 10);
            carry /= 10;
        }
        if let Some(leading) = digits.last() {
            counts[*leading as usize - 1] += 1;
        }
    }
    stage::put(Fragment::Bars(
        counts.iter().map(|count| count * 100 / powers).collect(),
    ));
    Leading { counts }
}

/// What is said of it, with the chart that belongs to it.
#[cache_resource(max_entries = 100, observes = true, show_spinner = false)]
fn report(base: u32) -> u32 {
    let leading = leading_digits(base);
    let ones = leading.counts[0];
    let text = format!("{ones} of them begin with 1.");
    stage::put(Fragment::Paragraph(text));
    ones
}

async fn show(
    State(base): State<u32>,
    Query(form): Query<HashMap<String, String>>,
) -> Html<String> {
    let page = Arc::new(Page {
        html: Mutex::default(),
        form,
    });
    let ones = stage::run(&page, || *report(base));
    let builds = leading_digits::info().builds;
    let html = page.html.lock().unwrap_or_else(PoisonError::into_inner);
    Html(format!(
        "<!doctype html><title>{ones}</title><body>{html}<small>counted {builds} times</small>"
    ))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&address)
        .await
        .map_err(|error| format!("{address}: {error}. Give another address as the argument"))?;
    println!("http://{}", listener.local_addr()?);
    let app = Router::new().route("/", get(show)).with_state(2);
    axum::serve(listener, app).await?;
    Ok(())
}
