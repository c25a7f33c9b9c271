//! A TOML file that an operator wrote. Says where in the file something is wrong.
use std::io;
use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::Failure;

/// Larger is not a configuration file.
const FILE_MAX: u64 = 64 << 10;

/// Reads the file that `flag` names. `keys` is the remedy for a key that is not known: says which
/// there are.
///
/// # Errors
///
/// Exit 78: names file, line, column and key.
pub fn read_toml<T: DeserializeOwned>(path: &Path, flag: &str, keys: &str) -> Result<T, Failure> {
    let unreadable = |why: io::Error| {
        Failure::config(
            format!("{}: {why}", path.display()),
            format!("name a readable TOML file in {flag}"),
        )
    };
    if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_MAX {
        return Err(unreadable(io::Error::other("larger than 64 KiB")));
    }
    parse(path, &std::fs::read_to_string(path).map_err(unreadable)?, keys)
}

fn parse<T: DeserializeOwned>(path: &Path, text: &str, keys: &str) -> Result<T, Failure> {
    toml::from_str(text).map_err(|error| {
        let (line, column, key) = place(text, error.span().unwrap_or_default());
        let why = error.message().lines().next().unwrap_or_default();
        Failure::config(format!("{}:{line}:{column}: key {key:?}: {why}", path.display()), keys)
    })
}

/// Line and column, from 1, and the key on that line.
fn place(text: &str, span: Range<usize>) -> (usize, usize, String) {
    let before = text.get(..span.start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before.get(start..).unwrap_or_default().chars().count() + 1;
    let whole = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let key = whole.split('=').next().unwrap_or_default();
    (line, column, key.trim().trim_matches(['[', ']', '"']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Keys {
        name: Option<String>,
        secret: Option<bool>,
    }

    #[test]
    fn each_wrong_file_is_told_with_line_column_and_key() {
        let table = [
            ("name = \"s\"\nnam = \"s\"\n", "a.toml:2:1: key \"nam\": unknown field"),
            ("secret = \"yes\"\n", "a.toml:1:10: key \"secret\": invalid type"),
            ("\n  name = 7\n", "a.toml:2:10: key \"name\": invalid type"),
            ("[group.hall-a]\n", "a.toml:1:2: key \"group.hall-a\": unknown field"),
            ("name = \"s\"\nname = \"t\"\n", "a.toml:2:1: key \"name\": duplicate key"),
            ("name = \"s\"\nx", "a.toml:2:2: key \"x\": key with no value"),
            ("name \"c1\"\n", "a.toml:1:"),
        ];
        for (text, expect) in table {
            let failure = parse::<Keys>(Path::new("a.toml"), text, "the keys").unwrap_err();
            assert_eq!((failure.exit, failure.code), (78, "config"));
            assert!(failure.message.starts_with(expect), "{} for {expect}", failure.message);
            assert_eq!(failure.remedy, "the keys");
        }
    }

    #[test]
    fn a_file_that_is_none_is_told_with_its_flag() {
        let temp = tempfile::tempdir().unwrap();
        let long = temp.path().join("long.toml");
        std::fs::write(&long, "#".repeat(70_000)).unwrap();
        for (path, expect) in [(long, "larger than 64 KiB"), ("/no/file".into(), "No such file")] {
            let failure = read_toml::<Keys>(&path, "--config", "").unwrap_err();
            assert_eq!(failure.exit, 78);
            assert!(failure.message.contains(expect), "{failure}");
            assert!(failure.remedy.contains("--config"), "{failure}");
        }
    }
}
