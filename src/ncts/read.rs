//! Reading a message: its type, header, references, and what a rejection says.

use roxmltree::{Document, Node};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MessageType;
use super::xsd::{self, Refused};

/// The namespace of every NCTS message's root element.
pub const NAMESPACE: &str = "http://ncts.dgtaxud.ec";

/// Text that is no NCTS message.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not well-formed, with a document type declaration, or larger in some way
    /// than any message.
    #[error(transparent)]
    Xml(#[from] Refused),
    /// The root element is not of NCTS.
    #[error("the root element `{0}` is not an NCTS message in namespace `{NAMESPACE}`")]
    NotNcts(String),
}

/// A message that has been read. It borrows the text.
#[derive(Debug)]
pub struct Message<'input> {
    document: Document<'input>,
    message: MessageType,
}

/// One error of a rejection (IE056, IE057).
///
/// Source: NCTS technical interface specification, data group FUNCTIONAL
/// ERROR.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FunctionalError {
    /// XPath of the offending element.
    pub pointer: String,
    /// Two-digit code.
    pub code: String,
    /// Rule or condition, such as `R0028`.
    pub reason: String,
    /// The value NCTS read.
    pub value: Option<String>,
}

/// Parses XML without document type declarations or entities of its own, in
/// the bounds of [`super::xsd`] but for its size.
///
/// # Errors
/// What makes the text ill-formed or hostile, with its position.
pub fn parse(xml: &str) -> Result<Document<'_>, Refused> {
    // A byte order mark is no content; the parser would refuse it.
    xsd::parse_decoded(xml.trim_start_matches('\u{feff}'))
}

impl<'input> Message<'input> {
    /// Reads a message.
    ///
    /// # Errors
    /// When the text is not well-formed or its root is not an NCTS message.
    pub fn parse(xml: &'input str) -> Result<Self, ReadError> {
        let document = parse(xml)?;
        let root = document.root_element().tag_name();
        let message = (root.namespace() == Some(NAMESPACE))
            .then(|| MessageType::from_root(root.name()))
            .flatten()
            .ok_or_else(|| ReadError::NotNcts(root.name().chars().take(80).collect()))?;
        Ok(Self { document, message })
    }

    /// The message's type, from its root element.
    pub fn message_type(&self) -> MessageType {
        self.message
    }

    /// The root element.
    pub fn root(&self) -> Node<'_, 'input> {
        self.document.root_element()
    }

    /// The text at a path of element names below the root, such as
    /// `TransitOperation/LRN`; the first match at each level. None when the
    /// element is missing or empty.
    pub fn text(&self, path: &str) -> Option<&str> {
        text_at(self.root(), path)
    }

    /// `TransitOperation/LRN`.
    pub fn lrn(&self) -> Option<&str> {
        self.text("TransitOperation/LRN")
    }

    /// `TransitOperation/MRN`.
    pub fn mrn(&self) -> Option<&str> {
        self.text("TransitOperation/MRN")
    }

    /// The errors of a rejection; empty for other messages.
    pub fn functional_errors(&self) -> Vec<FunctionalError> {
        children(self.root(), "FunctionalError")
            .map(|error| {
                let text = |name| text_at(error, name).map(str::to_owned);
                FunctionalError {
                    pointer: text("errorPointer").unwrap_or_default(),
                    code: text("errorCode").unwrap_or_default(),
                    reason: text("errorReason").unwrap_or_default(),
                    value: text("originalAttributeValue"),
                }
            })
            .collect()
    }
}

/// The child elements with this local name.
pub fn children<'a, 'input: 'a>(
    node: Node<'a, 'input>,
    name: &'a str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| child.is_element() && child.tag_name().name() == name)
}

/// The element at a path of local names below `node`, the first match at each
/// level.
pub fn element_at<'a, 'input>(node: Node<'a, 'input>, path: &str) -> Option<Node<'a, 'input>> {
    path.split('/').try_fold(node, |at, name| {
        at.children().find(|child| child.is_element() && child.tag_name().name() == name)
    })
}

/// The text of [`element_at`], trimmed; none when missing or empty.
pub fn text_at<'a>(node: Node<'a, '_>, path: &str) -> Option<&'a str> {
    element_at(node, path)?.text().map(str::trim).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REJECTION: &str = r#"<n:CC056C xmlns:n="http://ncts.dgtaxud.ec"><TransitOperation><LRN>A1</LRN></TransitOperation>
      <FunctionalError><errorPointer>/CC015C/Guarantee[1]</errorPointer><errorCode>14</errorCode><errorReason>R0028</errorReason></FunctionalError></n:CC056C>"#;

    #[test]
    fn a_rejection_tells_its_references_and_errors() {
        let message = Message::parse(REJECTION).unwrap();
        assert_eq!(message.message_type(), MessageType::Ie056);
        assert_eq!((message.lrn(), message.mrn()), (Some("A1"), None));
        let errors = message.functional_errors();
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].pointer, "/CC015C/Guarantee[1]");
        assert_eq!(errors[0].value, None);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for text in [
            "",
            "<CC015C/>",
            "<n:CC999C xmlns:n='http://ncts.dgtaxud.ec'/>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><n:CC015C xmlns:n='http://ncts.dgtaxud.ec'/>",
            "<n:CC015C xmlns:n='http://ncts.dgtaxud.ec'>",
            &format!("<n:CC015C xmlns:n='http://ncts.dgtaxud.ec'>{}", "<a>".repeat(1_000_000)),
            // The parser compares each attribute with all others.
            &format!(
                "<n:CC015C xmlns:n='http://ncts.dgtaxud.ec' {}/>",
                (0..200_000).map(|nth| format!("a{nth}='' ")).collect::<String>()
            ),
        ] {
            assert!(Message::parse(text).is_err(), "{text:.200}");
        }
    }
}
