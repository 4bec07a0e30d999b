//! The built-in messages: `templates/messages/` rendered with the catalogue's
//! test data.

use include_dir::{Dir, include_dir};
use roxmltree::Node;
use serde_json::{Value, json};

use crate::catalogue::{Catalogue, DataSet, Programme, Step};
use crate::ncts::MessageType;
use crate::ncts::build::{BuildError, OF_THE_RUN, Stamp, Templates};
use crate::ncts::read;
use crate::ncts::xsd::Refused;

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates/messages");

/// The embedded templates.
pub(super) fn templates() -> Result<Templates, BuildError> {
    Templates::new(TEMPLATES.files().filter_map(|file| {
        let name = file.path().to_str()?;
        Some((name.to_owned(), file.contents_utf8()?.to_owned()))
    }))
}

/// Why there is no built-in message, in words.
#[derive(Debug)]
pub(super) enum Failure {
    /// The catalogue or the templates do not have it.
    Lacking(String),
    /// The template is wrong.
    Build(String, BuildError),
}

/// Renders the message of a step as its test data has it; neither stamped nor
/// changed yet. Returns it with its origin.
pub(super) fn render(
    templates: &Templates,
    catalogue: &Catalogue,
    programme: &Programme,
    step: &Step,
    stamp: &Stamp,
) -> Result<(String, String), Failure> {
    let message = stamp.message;
    let column = match step.data.as_slice() {
        [column] => column,
        [] => return Err(Failure::Lacking("it names no column of test data".into())),
        several => {
            return Err(Failure::Lacking(format!(
                "it names several columns of test data, and not one for each procedure: {}",
                several.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            )));
        }
    };
    let data =
        catalogue.data(&programme.id, message, step.sheet.as_deref(), column).ok_or_else(|| {
            Failure::Lacking(format!(
                "programme `{}` has no test data `{column}` for {message}",
                programme.id
            ))
        })?;
    let template = format!("{message}.xml");
    if !templates.has(&template) {
        return Err(Failure::Lacking(format!("there is no template for {message}")));
    }
    let origin = format!("built-in templates/messages/{template}, data \"{column}\"");
    let context = json!({
        "phase_id": programme.api.phase_id,
        "data": data,
    });
    let rendered = templates
        .render(&template, context)
        .map_err(|error| Failure::Build(origin.clone(), error))?;
    let mut xml = String::with_capacity(rendered.len());
    for line in rendered.lines().filter(|line| !line.trim().is_empty()) {
        xml.push_str(line);
        xml.push('\n');
    }
    complete(&xml, message, data).map_err(|problem| match problem {
        Incomplete::Xml(error) => {
            Failure::Build(origin.clone(), BuildError::Read(read::ReadError::Xml(error)))
        }
        Incomplete::Unplaced(path) => Failure::Lacking(format!(
            "template `{template}` has no place for `{path}` of test data `{column}`"
        )),
    })?;
    Ok((xml, origin))
}

#[derive(Debug)]
enum Incomplete {
    Xml(Refused),
    Unplaced(String),
}

/// Checks that every value of the data stands in the message: a template
/// leaves out what it does not know, and test data must not get lost that way.
fn complete(xml: &str, message: MessageType, data: &DataSet) -> Result<(), Incomplete> {
    let document = read::parse(xml).map_err(Incomplete::Xml)?;
    match unplaced(data, document.root_element()) {
        Some(path) => Err(Incomplete::Unplaced(format!("{}{path}", message.root()))),
        None => Ok(()),
    }
}

fn unplaced(data: &Value, node: Node<'_, '_>) -> Option<String> {
    match data {
        Value::Object(table) => table.iter().find_map(|(name, value)| {
            let nodes: Vec<Node<'_, '_>> = read::children(node, name).collect();
            let single = std::slice::from_ref(value);
            let items = value.as_array().map_or(single, Vec::as_slice);
            if nodes.len() != items.len() {
                return Some(format!("/{name}"));
            }
            let below = items.iter().zip(nodes).find_map(|(item, node)| unplaced(item, node))?;
            Some(format!("/{name}{below}"))
        }),
        Value::String(text) if text == OF_THE_RUN => None,
        Value::String(text) => (node.text().unwrap_or_default() != text).then(String::new),
        other => {
            let text = other.to_string();
            (node.text().unwrap_or_default() != text).then(String::new)
        }
    }
}
