//! A command-line tool that answers from an index which takes a while to build.
//!
//! Run it over any folder of text, and type words:
//!
//! ```text
//! cargo run -p tenure-examples --bin search -- crates
//! ```
//!
//! The first question builds the index, behind a spinner with the elapsed time; the others are hits.
//! `:folder PATH` goes to another folder (two indexes are kept), `:clear` forgets this one's index,
//! `:info` gives the figures.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tenure::cache_resource;

/// Where each word stands.
struct Index {
    folder: PathBuf,
    changed: SystemTime,
    files: Vec<PathBuf>,
    words: BTreeMap<String, Vec<(u32, u32)>>,
}

/// The index of a folder, as long as the folder itself does not change.
#[cache_resource(
    max_entries = 2,
    validate = Index::is_current,
    on_release = |index: Index| println!("(the index of {} is gone)", index.folder.display()),
    show_spinner = "Indexing",
    show_time = true,
)]
fn index(folder: &Path) -> io::Result<Index> {
    let mut index = Index {
        folder: folder.to_owned(),
        changed: fs::metadata(folder)?.modified()?,
        files: Vec::new(),
        words: BTreeMap::new(),
    };
    index.add_folder(folder)?;
    Ok(index)
}

impl Index {
    fn add_folder(&mut self, folder: &Path) -> io::Result<()> {
        let mut paths: Vec<PathBuf> = fs::read_dir(folder)?
            .map(|entry| entry.map(|it| it.path()))
            .collect::<io::Result<_>>()?;
        paths.sort();
        for path in paths {
            if path.is_dir() {
                self.add_folder(&path)?;
            } else if let Ok(text) = fs::read_to_string(&path) {
                self.add_file(path, &text);
            }
        }
        Ok(())
    }

    fn add_file(&mut self, path: PathBuf, text: &str) {
        let file = self.files.len() as u32;
        self.files.push(path);
        for (line, text) in text.lines().enumerate() {
            for word in text.split(|c: char| !c.is_alphanumeric()) {
                if !word.is_empty() {
                    let places = self.words.entry(word.to_lowercase()).or_default();
                    places.push((file, line as u32 + 1));
                }
            }
        }
    }

    fn is_current(&self) -> bool {
        let changed = fs::metadata(&self.folder).and_then(|it| it.modified());
        changed.is_ok_and(|changed| changed == self.changed)
    }

    fn find(&self, word: &str) -> impl Iterator<Item = String> {
        let places = self.words.get(&word.to_lowercase());
        places.into_iter().flatten().map(|&(file, line)| {
            let path = &self.files[file as usize];
            let path = path.strip_prefix(&self.folder).unwrap_or(path);
            format!("{}:{line}", path.display())
        })
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let _released = tenure::shutdown_on_drop();
    let mut folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".to_owned()));
    for line in io::stdin().lock().lines() {
        let line = line?;
        match line.trim().split_once(' ').unwrap_or((line.trim(), "")) {
            ("", _) => {}
            (":folder", path) => folder = PathBuf::from(path),
            (":clear", _) => {
                index::clear_entry(&folder);
            }
            (":info", _) => {
                let info = index::info();
                println!(
                    "{} builds in {:.1?}, {} hits, {} entries",
                    info.builds, info.build_time, info.hits, info.entries
                );
            }
            (word, _) => match index(&folder) {
                Err(error) => println!("{}: {error}", folder.display()),
                Ok(index) => {
                    let found: Vec<String> = index.find(word).collect();
                    println!("{word}: {} places", found.len());
                    found.iter().take(5).for_each(|place| println!("  {place}"));
                }
            },
        }
        io::stdout().flush()?;
    }
    Ok(())
}
