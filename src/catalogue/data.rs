//! Test data: the data spreadsheets' columns, assembled from parts.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::DataSet;
use super::lay::{DEPTH_LIMIT, expand, lay_over};
use super::problem::{Key, Problem, Source};
use crate::ncts::{Direction, MessageType};

/// A column of a data spreadsheet.
#[derive(Clone, Debug)]
pub struct Column {
    /// The message it is for.
    pub message: MessageType,
    /// The sheet, where it is not the message's own: `Final Only`.
    pub sheet: Option<String>,
    /// Its heading, as first written.
    pub name: String,
    /// Sheet and heading of the column it is another name of.
    pub same_as: Option<(String, String)>,
    /// The message's elements.
    pub data: DataSet,
}

/// How a column is found: by its words, since HMRC's documents do not agree in
/// case, spaces, hyphens and brackets (`simplified GB-XI Non Containerised`,
/// `Simplified GB-XI Non-Containerised`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ColumnKey {
    message: MessageType,
    sheet: Option<String>,
    column: String,
}

impl ColumnKey {
    pub(super) fn new(message: MessageType, sheet: Option<&str>, column: &str) -> Self {
        Self { message, sheet: sheet.map(plain), column: plain(column) }
    }
}

fn plain(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Message and further words of a sheet's name: `IE015`, `IE015 (Final Only)`.
fn sheet_name(name: &str) -> Result<(MessageType, Option<&str>), String> {
    let (message, rest) = name.split_at_checked(5).unwrap_or((name, ""));
    let message = message.parse::<MessageType>().map_err(|error| error.to_string())?;
    match rest.trim() {
        "" => Ok((message, None)),
        words => words
            .strip_prefix('(')
            .and_then(|words| words.strip_suffix(')'))
            .map(|words| (message, Some(words)))
            .ok_or_else(|| format!("`{name}` is not a sheet such as `IE015 (Final Only)`")),
    }
}

/// The columns of a programme.
pub(super) type Columns = BTreeMap<ColumnKey, Column>;

/// A column as its files are laid over each other.
type Laid<'a> = BTreeMap<&'a ColumnKey, (&'a Heading, Map<String, Value>)>;

/// Where a column stands in a file, as written.
#[derive(Clone, Debug)]
struct Heading {
    sheet: String,
    name: String,
}

impl Heading {
    fn path(&self) -> [Key<'_>; 2] {
        [Key::Name(&self.sheet), Key::Name(&self.name)]
    }

    fn column(
        &self,
        message: MessageType,
        same_as: Option<(String, String)>,
        data: DataSet,
    ) -> Column {
        let sheet = sheet_name(&self.sheet).ok().and_then(|(_, sheet)| sheet);
        Column { message, sheet: sheet.map(str::to_owned), name: self.name.clone(), same_as, data }
    }
}

/// A `data.toml` as it stands.
#[derive(Debug)]
pub(super) struct DataFile {
    source: Source,
    extends: Option<String>,
    parts: BTreeMap<String, Map<String, Value>>,
    columns: BTreeMap<ColumnKey, (Heading, Map<String, Value>)>,
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
                (key, Value::Object(columns)) => match sheet_name(key) {
                    Ok((message, sheet)) if message.direction() == Direction::Sent => {
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
                            let id = ColumnKey::new(message, sheet, &name);
                            if file.columns.contains_key(&id) {
                                problems.push(source.problem(
                                    &path,
                                    format!("column `{name}` of {key} is there twice"),
                                ));
                            }
                            let heading = Heading { sheet: key.to_owned(), name };
                            file.columns.insert(id, (heading, column));
                        }
                    }
                    Ok((message, _)) => problems.push(source.problem(
                        &[Key::Name(key)],
                        format!("{message} comes from NCTS: it needs no test data"),
                    )),
                    Err(error) => problems.push(source.problem(&[Key::Name(key)], error)),
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

    /// Lays it over the file known as `below`, which says itself what it
    /// extends.
    pub(super) fn lie_over(&mut self, below: &str, problems: &mut Vec<Problem>) {
        if self.extends.replace(below.to_owned()).is_some() {
            problems.push(self.source.problem(
                &[Key::Name("extends")],
                "the built-in file that it lies over says what they extend: leave `extends` out",
            ));
        }
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
        for (id, (heading, column)) in &file.columns {
            lay_over(&mut columns.entry(id).or_insert_with(|| (heading, Map::new())).1, column);
        }
    }

    // A part may be incomplete until a programme's own file completes it, so
    // only what a column uses is checked; the problem is the file's own.
    let mut problem = |id: &ColumnKey, message: String| {
        let owner = chain.iter().find_map(|file| Some((file, file.columns.get(id)?)));
        if let Some((file, (heading, _))) = owner {
            problems.push(file.source.problem(&heading.path(), message));
        }
    };
    let (others, own): (Laid<'_>, Laid<'_>) =
        columns.into_iter().partition(|(_, (_, column))| column.contains_key(SAME_AS));
    let mut out = Columns::new();
    for (id, (heading, column)) in own {
        let under = match parts.get(id.message.as_str()) {
            Some(part) => expand(part, &parts, 0),
            None => Ok(Map::new()),
        };
        let data = under.and_then(|mut data| {
            lay_over(&mut data, &expand(&column, &parts, 0)?);
            Ok(data)
        });
        match data {
            Ok(data) => {
                out.insert(id.clone(), heading.column(id.message, None, Value::Object(data)));
            }
            Err(message) => problem(id, message),
        }
    }
    for (id, (heading, column)) in others {
        match stands_for(id, &column, &out) {
            Ok((same_as, data)) => {
                out.insert(id.clone(), heading.column(id.message, Some(same_as), data));
            }
            Err(message) => problem(id, message),
        }
    }
    out
}

/// The key under which a column names the one it is another name of: its sheet
/// and its heading.
const SAME_AS: &str = "same-as";

/// The column that another name stands for, and its data.
fn stands_for(
    id: &ColumnKey,
    column: &Map<String, Value>,
    columns: &Columns,
) -> Result<((String, String), DataSet), String> {
    if column.len() > 1 {
        return Err(format!("a column with `{SAME_AS}` has nothing else"));
    }
    let pair: Vec<&str> = column
        .get(SAME_AS)
        .and_then(Value::as_array)
        .map(|pair| pair.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let [sheet, name] = pair.as_slice() else {
        return Err(format!(
            "`{SAME_AS}` is not a sheet and a column, such as `[\"IE044\", \"Normal\"]`"
        ));
    };
    let (message, words) = sheet_name(sheet)?;
    if message != id.message {
        return Err(format!("`{SAME_AS}` names an {message}, this is an {}", id.message));
    }
    let found = columns
        .get(&ColumnKey::new(message, words, name))
        .filter(|found| found.same_as.is_none())
        .ok_or_else(|| format!("sheet `{sheet}` has no column `{name}` of its own"))?;
    Ok((((*sheet).to_owned(), (*name).to_owned()), found.data.clone()))
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
        let column = &columns[&ColumnKey::new(MessageType::Ie015, None, "col a")];
        assert_eq!(column.name, "Col  A ");
        assert_eq!(
            &column.data,
            &serde_json::json!({"x": {"one": "I", "two": "2"}, "y": "3", "list": [{"n": "2"}]})
        );
    }

    #[test]
    fn a_group_may_be_laid_on_parts_too() {
        let text = "[part.a]\none = '1'\ntwo = '2'\n[part.b]\nuse = ['a']\ntwo = 'II'\n\
             [IE015.c]\nx.y = { use = ['a'], three = '3' }\n\
             list = [{ use = ['b'] }, { use = ['nowhere'] }]";
        let (columns, problems) = assembled(vec![file("a", text)], "a");
        assert!(columns.is_empty());
        assert!(problems[0].message.contains("no part `nowhere`"), "{problems:?}");

        let (columns, problems) = assembled(vec![file("a", &text.replace("nowhere", "a"))], "a");
        assert_eq!(problems, []);
        let plain = serde_json::json!({"one": "1", "two": "2"});
        assert_eq!(
            columns[&ColumnKey::new(MessageType::Ie015, None, "c")].data,
            serde_json::json!({
                "x": {"y": {"one": "1", "two": "2", "three": "3"}},
                "list": [{"one": "1", "two": "II"}, plain],
            })
        );
    }

    #[test]
    fn a_column_of_another_sheet_is_another_column() {
        let text = "[IE015.c]\nx = '1'\n[\"IE015 (Final Only)\".c]\nx = '2'";
        let (columns, problems) = assembled(vec![file("a", text)], "a");
        assert_eq!(problems, []);
        let x = |sheet| columns[&ColumnKey::new(MessageType::Ie015, sheet, "C")].data["x"].clone();
        assert_eq!((x(None), x(Some("final  only"))), ("1".into(), "2".into()));
    }

    #[test]
    fn names_are_compared_by_their_words() {
        let text = "[IE044.\"Arrival GB-XI(M)\"]\nx = '1'";
        let (columns, _) = assembled(vec![file("a", text)], "a");
        for name in ["arrival  GB-XI (M)", "Arrival GB XI M "] {
            assert!(columns.contains_key(&ColumnKey::new(MessageType::Ie044, None, name)));
        }
        assert!(!columns.contains_key(&ColumnKey::new(MessageType::Ie044, None, "Arrival GB-XI")));
    }

    #[test]
    fn another_name_stands_for_a_column_of_whatever_sheet() {
        let text = "[IE015.c]\nsame-as = ['IE015 (Final Only)', 'D']\n\
                    [\"IE015 (Final Only)\".d]\nx = '1'";
        let (columns, problems) = assembled(vec![file("a", text)], "a");
        assert_eq!(problems, []);
        let column = &columns[&ColumnKey::new(MessageType::Ie015, None, "c")];
        assert_eq!((column.name.as_str(), &column.sheet), ("c", &None));
        assert_eq!(column.same_as, Some(("IE015 (Final Only)".into(), "D".into())));
        assert_eq!(column.data, serde_json::json!({"x": "1"}));
    }

    #[test]
    fn another_name_for_nothing_is_a_problem_with_its_place() {
        for (line, part) in [
            ("same-as = ['IE015', 'e']", "sheet `IE015` has no column `e` of its own"),
            ("same-as = ['IE015', 'c']", "sheet `IE015` has no column `c` of its own"),
            ("same-as = ['IE013', 'd']", "`same-as` names an IE013, this is an IE015"),
            ("same-as = ['IE15', 'd']", "`IE15`"),
            ("same-as = 'd'", "`same-as` is not a sheet and a column"),
            ("same-as = ['IE015', 'd']\nx = '1'", "a column with `same-as` has nothing else"),
        ] {
            let text = format!("[IE015.d]\nx = '1'\n[IE015.c]\n{line}");
            let (columns, problems) = assembled(vec![file("a", &text)], "a");
            assert_eq!((columns.len(), problems.len()), (1, 1), "{line}");
            let problem = problems[0].to_string();
            assert!(problem.starts_with("a/data.toml:3:1: "), "{problem}");
            assert!(problem.contains(part), "{problem}");
        }
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
