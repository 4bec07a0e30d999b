//! Test data: the data spreadsheets' columns, assembled from parts.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::DataSet;
use super::problem::{Key, Problem, Source};
use crate::ncts::{Direction, MessageType};

/// Columns by message and by normalised name (see [`column_key`]), each with
/// the name as written.
pub(super) type Columns = BTreeMap<(MessageType, String), (String, DataSet)>;

/// Columns as their files are laid over each other: the name as first written,
/// and the table.
type Laid<'a> = BTreeMap<&'a (MessageType, String), (&'a str, Map<String, Value>)>;

/// How deep parts may use parts, and files extend files.
const DEPTH_LIMIT: usize = 20;

/// A `data.toml` as it stands.
#[derive(Debug)]
pub(super) struct DataFile {
    source: Source,
    extends: Option<String>,
    parts: BTreeMap<String, Map<String, Value>>,
    columns: BTreeMap<(MessageType, String), (String, Map<String, Value>)>,
}

/// The name under which a column is found: the spreadsheets are not consistent
/// in case and spaces (`simplified GB-XI`, `Simplified GB-XI  Pre-lodged`).
pub(super) fn column_key(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

impl DataFile {
    /// Reads a file; none when it is no TOML at all.
    pub(super) fn read(mut source: Source, problems: &mut Vec<Problem>) -> Option<Self> {
        let root: Option<Map<String, Value>> = source.read(problems);
        let mut file =
            Self { source, extends: None, parts: BTreeMap::new(), columns: BTreeMap::new() };
        for (key, value) in root? {
            let source = &file.source;
            match (key.as_str(), value) {
                ("extends", Value::String(folder)) => file.extends = Some(folder),
                ("source", Value::String(_)) => {}
                ("part", Value::Object(parts)) => {
                    for (name, part) in parts {
                        match part {
                            Value::Object(part) => {
                                file.parts.insert(name, part);
                            }
                            _ => problems.push(source.problem(
                                &[Key::Name("part"), Key::Name(&name)],
                                format!("part `{name}` is not a table"),
                            )),
                        }
                    }
                }
                (key, Value::Object(columns)) => match key.parse::<MessageType>() {
                    Ok(message) if message.direction() == Direction::Sent => {
                        for (name, column) in columns {
                            let path = [Key::Name(key), Key::Name(&name)];
                            let Value::Object(column) = column else {
                                problems.push(
                                    source.problem(
                                        &path,
                                        format!("column `{name}` is not a table"),
                                    ),
                                );
                                continue;
                            };
                            let id = (message, column_key(&name));
                            if file.columns.contains_key(&id) {
                                problems.push(source.problem(
                                    &path,
                                    format!("column `{name}` of {message} is there twice"),
                                ));
                            }
                            file.columns.insert(id, (name, column));
                        }
                    }
                    Ok(message) => problems.push(source.problem(
                        &[Key::Name(key)],
                        format!("{message} comes from NCTS: it needs no test data"),
                    )),
                    Err(error) => {
                        problems.push(source.problem(&[Key::Name(key)], error.to_string()));
                    }
                },
                (key, _) => problems.push(source.problem(
                    &[Key::Name(key)],
                    format!(
                        "unknown field `{key}`, expected `extends`, `source`, `part` or a message type"
                    ),
                )),
            }
        }
        Some(file)
    }
}

/// Assembles the columns of the programme in `folder`. `files` holds every
/// data file by its folder.
pub(super) fn assemble(
    folder: &str,
    files: &BTreeMap<String, DataFile>,
    problems: &mut Vec<Problem>,
) -> Columns {
    let Some(file) = files.get(folder) else { return Columns::new() };
    let mut chain: Vec<&DataFile> = Vec::new();
    let mut next = Some(file);
    while let Some(file) = next {
        if chain.len() >= DEPTH_LIMIT {
            problems.push(
                file.source
                    .problem(&[Key::Name("extends")], "the files extend each other in a circle"),
            );
            return Columns::new();
        }
        chain.push(file);
        next = match &file.extends {
            None => None,
            Some(base) => {
                let found = files.get(base);
                if found.is_none() {
                    problems.push(file.source.problem(
                        &[Key::Name("extends")],
                        format!("there is no `{base}/data.toml`"),
                    ));
                }
                found
            }
        };
    }

    // From the base upwards, so that later files lie over earlier ones.
    let mut parts: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut columns: Laid<'_> = BTreeMap::new();
    for file in chain.iter().rev() {
        for (name, part) in &file.parts {
            lay_over(parts.entry(name).or_default(), part);
        }
        for (id, (name, column)) in &file.columns {
            lay_over(&mut columns.entry(id).or_insert_with(|| (name, Map::new())).1, column);
        }
    }

    // A part may be incomplete until a programme's own file completes it, so
    // only what a column uses is checked; the problem is the file's own.
    let mut out = Columns::new();
    for (id, (name, column)) in columns {
        match expand(&column, &parts, 0) {
            Ok(data) => {
                out.insert(id.clone(), (name.to_owned(), Value::Object(data)));
            }
            Err(message) => {
                let owner = chain.iter().find(|file| file.columns.contains_key(id));
                let owner = owner.map_or(&file.source, |file| &file.source);
                problems.push(owner.problem(&[Key::Name(id.0.as_str()), Key::Name(name)], message));
            }
        }
    }
    out
}

/// A part or column with the parts it uses laid down first.
fn expand(
    table: &Map<String, Value>,
    parts: &BTreeMap<&str, Map<String, Value>>,
    depth: usize,
) -> Result<Map<String, Value>, String> {
    if depth > DEPTH_LIMIT {
        return Err("its parts use each other in a circle".into());
    }
    let mut out = Map::new();
    let mut own = table.clone();
    if let Some(used) = own.remove(USE) {
        let Value::Array(names) = used else {
            return Err("`use` is not a list of parts".into());
        };
        for name in names {
            let Some(name) = name.as_str() else {
                return Err("`use` is not a list of parts".into());
            };
            let part = parts.get(name).ok_or_else(|| format!("there is no part `{name}`"))?;
            lay_over(&mut out, &expand(part, parts, depth + 1)?);
        }
    }
    lay_over(&mut out, &own);
    Ok(out)
}

/// The key under which a part or column names the parts it uses.
const USE: &str = "use";

/// Lays `over` on `base`: tables join key by key, lists of used parts are
/// appended, anything else is replaced.
fn lay_over(base: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => lay_over(below, above),
            (Some(Value::Array(below)), Value::Array(above)) if key == USE => {
                below.extend(above.iter().cloned());
            }
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Every value of an element anywhere in a data set.
pub(super) fn values_of<'a>(data: &'a DataSet, element: &str, out: &mut Vec<&'a str>) {
    match data {
        Value::Object(table) => {
            for (key, value) in table {
                match value {
                    Value::String(text) if key == element => out.push(text),
                    _ => values_of(value, element, out),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| values_of(item, element, out)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &str, text: &str) -> (String, DataFile) {
        let mut problems = Vec::new();
        let source = Source::new(format!("{folder}/data.toml"), text);
        let file = DataFile::read(source, &mut problems).unwrap();
        assert_eq!(problems, []);
        (folder.into(), file)
    }

    fn assembled(files: Vec<(String, DataFile)>, folder: &str) -> (Columns, Vec<Problem>) {
        let mut problems = Vec::new();
        let columns = assemble(folder, &files.into_iter().collect(), &mut problems);
        (columns, problems)
    }

    #[test]
    fn a_programme_completes_and_overrides_what_it_inherits() {
        let base = file(
            "base",
            "[part.a]\nx.one = '1'\nlist = [{ n = '1' }]\n\
             [IE015.\"Col  A \"]\nuse = ['a']\nx.two = '2'",
        );
        let own = file(
            "own",
            "extends = 'base'\n[part.a]\nx.one = 'I'\nlist = [{ n = '2' }]\n\
             [part.b]\ny = '3'\n[IE015.\"col a\"]\nuse = ['b']",
        );
        let (columns, problems) = assembled(vec![base, own], "own");
        assert_eq!(problems, []);
        let (name, data) = &columns[&(MessageType::Ie015, "col a".into())];
        assert_eq!(name, "Col  A ");
        assert_eq!(
            data,
            &serde_json::json!({"x": {"one": "I", "two": "2"}, "y": "3", "list": [{"n": "2"}]})
        );
    }

    #[test]
    fn circles_and_missing_parts_are_problems_and_not_endless() {
        let circle =
            file("a", "[part.p]\nuse = ['q']\n[part.q]\nuse = ['p']\n[IE015.c]\nuse = ['p']");
        let (columns, problems) = assembled(vec![circle], "a");
        assert!(columns.is_empty());
        assert_eq!(
            problems[0].to_string(),
            "a/data.toml:5:1: its parts use each other in a circle"
        );

        let (_, problems) =
            assembled(vec![file("a", "extends = 'b'"), file("b", "extends = 'a'")], "a");
        assert!(problems[0].message.contains("circle"), "{problems:?}");

        let (_, problems) = assembled(vec![file("a", "[IE015.c]\nuse = ['nowhere']")], "a");
        assert!(problems[0].message.contains("no part `nowhere`"), "{problems:?}");
    }
}
