//! Writing one answer into an existing `ctc-ready.toml`: everything else in it
//! stays as it is, comments, order and line ends included.
//!
//! Where `init` left the answer's line as an example in a comment, that line
//! comes into force; else the key is set, or added to its table. Whatever was
//! done, the new text must read as the old one with this one answer changed,
//! and pass the checks of [`Settings::parse`]; otherwise nothing is written.

use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table, Value};

use super::locate::MAX_BYTES;
use super::parse::{SettingsError, SettingsProblem};
use super::settings::{AnswerValue, Settings};
use crate::files::{self, FileError};

/// Where an answer stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The table: `answers`.
    pub table: String,
    /// The key in it.
    pub key: String,
}

impl Place {
    /// The place that is written so: `` `[business] name` ``.
    pub fn parse(text: &str) -> Option<Self> {
        let (table, key) = text.trim_matches('`').strip_prefix('[')?.split_once("] ")?;
        Some(Self { table: table.to_owned(), key: key.to_owned() })
    }
}

/// An answer that was not written.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The settings' own checks refuse it.
    #[error("{}", .0.iter().map(|it| format!("`{}` {}", it.field, it.message)).collect::<Vec<_>>().join("; "))]
    Refused(Vec<SettingsProblem>),
    /// Somebody else wrote the file since it was read.
    #[error("`{}` was changed meanwhile by someone else, and is left as it is", .0.display())]
    Changed(PathBuf),
    /// The file is laid out in a way that no edit of one answer fits.
    #[error("`[{table}] {key}` of `{}` cannot be set without changing more of the file", file.display())]
    NoPlace {
        /// The file.
        file: PathBuf,
        /// The table.
        table: String,
        /// The key.
        key: String,
    },
    /// It cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A settings file being answered.
#[derive(Debug)]
pub struct AnswerFile {
    file: PathBuf,
    /// As it stands on the disk.
    bytes: Vec<u8>,
}

impl AnswerFile {
    /// Reads the file of a project; where it is a symbolic link, the one that
    /// it leads to is written.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(file: &Path) -> Result<Self, FileError> {
        let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        let bytes = files::read_bounded(&file, MAX_BYTES)?;
        Ok(Self { file, bytes })
    }

    /// Sets an answer, and returns the settings that hold from now on.
    /// `known_programmes`: as for [`Settings::parse`].
    ///
    /// # Errors
    /// See [`AnswerError`]; the file is then as it was.
    pub fn put(
        &mut self,
        place: &Place,
        value: &AnswerValue,
        known_programmes: &[&str],
    ) -> Result<Settings, AnswerError> {
        let no_place = || AnswerError::NoPlace {
            file: self.file.clone(),
            table: place.table.clone(),
            key: place.key.clone(),
        };
        let text = std::str::from_utf8(&self.bytes).map_err(|_| no_place())?;
        let (mark, text) =
            text.strip_prefix('\u{feff}').map_or(("", text), |rest| ("\u{feff}", rest));
        let new = edited(text, place, value).ok_or_else(no_place)?;
        let settings = Settings::parse(&new, &self.file, known_programmes)
            .map_err(|SettingsError { problems, .. }| AnswerError::Refused(problems))?;
        let new = format!("{mark}{new}").into_bytes();
        if files::read_bounded(&self.file, MAX_BYTES)? != self.bytes {
            return Err(AnswerError::Changed(self.file.clone()));
        }
        files::write_atomic(&self.file, &new)?;
        self.bytes = new;
        Ok(settings)
    }
}

/// The line that says so in the file.
pub fn line(place: &Place, value: &AnswerValue) -> String {
    format!("{} = {}", place.key, of(value).to_string().trim())
}

/// `text` with the answer in it, and nothing else changed.
fn edited(text: &str, place: &Place, value: &AnswerValue) -> Option<String> {
    let mut wanted: toml::Table = text.parse().ok()?;
    let table = wanted.entry(&place.table).or_insert_with(|| toml::Table::new().into());
    table.as_table_mut()?.insert(place.key.clone(), plain(value));
    // Edited with plain line ends: the editor knows no others inside texts.
    let crlf = text.matches('\n').count() == text.matches("\r\n").count() && text.contains('\n');
    let unix = if crlf { text.replace("\r\n", "\n") } else { text.to_owned() };
    let says_so = |new: &String| new.parse::<toml::Table>().is_ok_and(|read| read == wanted);
    let mut attempts = [in_force, set].into_iter().filter_map(|edit| {
        let new = edit(&unix, place, value)?;
        Some(if crlf { new.replace('\n', "\r\n") } else { new })
    });
    attempts.find(|new| {
        // Lines of a text end as the file's do.
        says_so(new) || crlf && says_so(&new.replace("\r\n", "\n"))
    })
}

/// The commented example of the key, put in force.
fn in_force(text: &str, place: &Place, value: &AnswerValue) -> Option<String> {
    let header = format!("[{}]", place.table);
    let example = format!("# {} = ", place.key);
    let (mut inside, mut done) = (false, false);
    let mut out = String::with_capacity(text.len() + 64);
    for whole in text.split_inclusive('\n') {
        let (bare, end) = whole.strip_suffix('\n').map_or((whole, ""), |bare| (bare, "\n"));
        if bare.starts_with('[') {
            inside = bare.trim_end() == header;
        }
        if inside && !done && bare.starts_with(&example) {
            done = true;
            out.push_str(&line(place, value));
            out.push_str(end);
        } else {
            out.push_str(whole);
        }
    }
    done.then_some(out)
}

/// The key set where it is, or added to its table.
fn set(text: &str, place: &Place, value: &AnswerValue) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    let table = document.entry(&place.table).or_insert_with(|| Item::Table(Table::new()));
    let table = table.as_table_like_mut()?;
    let mut new = of(value);
    match table.get_mut(&place.key).and_then(Item::as_value_mut) {
        Some(old) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        None => drop(table.insert(&place.key, Item::Value(new))),
    }
    Some(document.to_string())
}

fn of(value: &AnswerValue) -> Value {
    match value {
        AnswerValue::YesNo(answer) => Value::from(*answer),
        AnswerValue::Number(number) => Value::from(*number),
        AnswerValue::Text(text) => Value::from(text.as_str()),
    }
}

fn plain(value: &AnswerValue) -> toml::Value {
    match value {
        AnswerValue::YesNo(answer) => (*answer).into(),
        AnswerValue::Number(number) => (*number).into(),
        AnswerValue::Text(text) => text.as_str().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(text: &str, place: &str, value: AnswerValue) -> Option<String> {
        edited(text, &Place::parse(place).unwrap(), &value)
    }

    const YES: AnswerValue = AnswerValue::YesNo(true);

    #[test]
    fn an_example_comes_into_force_where_it_stands() {
        let text = "# about\n[business]\n# name = \"X\"\n[answers]\n# Is it?\n# saas = true\n# next\n\n# end\n";
        assert_eq!(
            put(text, "`[answers] saas`", AnswerValue::YesNo(false)).unwrap(),
            text.replace("# saas = true", "saas = false")
        );
        // Of its own table alone, and no text that only looks like it.
        assert_eq!(
            put(text, "[answers] name", AnswerValue::Text("A \"B\"\nC".into())).unwrap(),
            text.replace("[answers]\n", "[answers]\nname = \"\"\"\nA \"B\"\nC\"\"\"\n")
        );
        let inside = "[answers]\nwhy = '''\n[answers]\n# saas = true\n'''\n";
        assert_eq!(put(inside, "[answers] saas", YES).unwrap(), format!("{inside}saas = true\n"));
    }

    #[test]
    fn what_stands_there_is_replaced_and_nothing_else() {
        for (before, after) in [
            (
                "[answers]\nsaas   =  false  # really\nx = 1\n",
                "[answers]\nsaas   =  true  # really\nx = 1\n",
            ),
            (
                "answers = { saas = false, x = 1 } # all\n",
                "answers = { saas = true, x = 1 } # all\n",
            ),
            ("answers.saas = false\nx = 'a'\n", "answers.saas = true\nx = 'a'\n"),
            (
                "x = 1\r\n# c\r\n[answers]\r\nsaas = false\r\n",
                "x = 1\r\n# c\r\n[answers]\r\nsaas = true\r\n",
            ),
            ("x = 1 # c\n", "x = 1 # c\n\n[answers]\nsaas = true\n"),
            ("", "[answers]\nsaas = true\n"),
        ] {
            assert_eq!(put(before, "[answers] saas", YES).unwrap(), after);
        }
        assert_eq!(put("answers = 5\n", "[answers] saas", YES), None);
        assert_eq!(put("answers = [\n", "[answers] saas", YES), None);
    }

    #[test]
    fn a_file_that_someone_changed_meanwhile_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ctc-ready.toml");
        let good = "programmes = [\"ncts6\"]\n[software]\nname = \"D\"\nversion = \"1\"\nflows = [\"arrival\"]\nprocedures = [\"normal\"]\nside = \"GB\"\n";
        std::fs::write(&path, format!("\u{feff}{good}")).unwrap();
        let mut file = AnswerFile::open(&path).unwrap();
        let place = Place::parse("`[answers] saas`").unwrap();
        let settings = file.put(&place, &YES, &[]).unwrap();
        assert_eq!(settings.answers.get("saas"), Some(&YES));
        let said = std::fs::read_to_string(&path).unwrap();
        assert_eq!(said, format!("\u{feff}{good}\n[answers]\nsaas = true\n"));
        let refused = file.put(&place, &AnswerValue::Number(3), &[]).unwrap_err();
        assert_eq!(refused.to_string(), "`answers.saas` must be true or false");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), said);
        std::fs::write(&path, good).unwrap();
        let changed = file.put(&place, &AnswerValue::YesNo(false), &[]).unwrap_err();
        assert!(matches!(changed, AnswerError::Changed(_)), "{changed}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), good);
    }
}
