//! Golden stories: a script, and below each line everything that was decided because of it.
use std::fmt::Write;
use std::path::PathBuf;

use crate::script::run;
use crate::world::World;

/// Keeps the script of a story (lines without indent), and writes the output anew.
fn retold(story: &str) -> String {
    let mut world = World::of(3);
    let mut told = String::new();
    for line in story.lines() {
        if line.starts_with([' ', '*']) {
            continue;
        }
        writeln!(told, "{line}").unwrap();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        for output in run(&mut world, line) {
            writeln!(told, "{}", output.replace("\n", " ")).unwrap();
        }
    }
    told
}

// FEATURE: MI-11
#[test]
fn the_stories_are_told_as_they_were() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/core/stories"));
    let mut stories: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    stories.sort();
    assert!(stories.len() >= 8, "stories are missing");
    for path in stories {
        let story = std::fs::read_to_string(&path).unwrap();
        let real = retold(&story);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &real).unwrap();
        } else {
            assert_eq!(story, real, "{}: if that is meant, run again with BLESS=1", path.display());
        }
    }
}
