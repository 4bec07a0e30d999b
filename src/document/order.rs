//! Properties in the order in which ISO/IEC 29500-1 (annex A, the schema of
//! WordprocessingML) has them: docx-rs writes them in another, which not every
//! reader must take.

use roxmltree::{Document, Node};

/// Elements whose children have an order, as far as our documents use them.
const ORDER: &[(&str, &[&str])] = &[
    ("style", &["name", "basedOn", "next", "qFormat", "pPr", "rPr"]),
    (
        "pPr",
        &["pStyle", "keepNext", "keepLines", "tabs", "spacing", "ind", "jc", "outlineLvl", "rPr"],
    ),
    ("rPr", &["rFonts", "b", "bCs", "i", "iCs", "color", "sz", "szCs"]),
    ("tblPr", &["tblW", "jc", "tblBorders", "tblLayout", "tblCellMar"]),
    ("tblBorders", &["top", "left", "bottom", "right", "insideH", "insideV"]),
    ("tblCellMar", &["top", "left", "bottom", "right"]),
    ("sectPr", &["headerReference", "footerReference", "pgSz", "pgMar", "cols"]),
    ("settings", &["zoom", "defaultTabStop", "compat"]),
];

/// A part with its properties in order; what is no XML stays as it is.
pub(super) fn in_order(part: &[u8]) -> Vec<u8> {
    let Some(text) = std::str::from_utf8(part).ok() else { return part.to_vec() };
    let Ok(tree) = Document::parse(text) else { return part.to_vec() };
    let root = tree.root_element();
    let mut out = String::with_capacity(text.len());
    out.push_str(text.get(..root.range().start).unwrap_or_default());
    write(text, root, &mut out);
    out.into_bytes()
}

fn write(text: &str, node: Node<'_, '_>, out: &mut String) {
    let range = node.range();
    let (Some(first), Some(last)) = (node.first_child(), node.last_child()) else {
        return out.push_str(text.get(range).unwrap_or_default());
    };
    out.push_str(text.get(range.start..first.range().start).unwrap_or_default());
    let mut children: Vec<Node<'_, '_>> = node.children().collect();
    let name = node.tag_name().name();
    if let Some((_, order)) = ORDER.iter().find(|(known, _)| *known == name) {
        let place = |child: &Node<'_, '_>| {
            let place = order.iter().position(|name| *name == child.tag_name().name());
            place.unwrap_or(order.len())
        };
        children.sort_by_key(place);
    }
    children.into_iter().for_each(|child| write(text, child, out));
    out.push_str(text.get(last.range().end..range.end).unwrap_or_default());
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_sorted_and_all_else_stays() {
        let part = "<?xml version=\"1.0\"?><w:d xmlns:w=\"w\"><w:p><w:pPr><w:rPr><w:sz/><w:b/></w:rPr>\
            <w:new/><w:pStyle w:val=\"&lt;\"/></w:pPr> a &amp; <w:b/><w:a/></w:p></w:d>";
        let sorted = "<?xml version=\"1.0\"?><w:d xmlns:w=\"w\"><w:p><w:pPr><w:pStyle w:val=\"&lt;\"/>\
            <w:rPr><w:b/><w:sz/></w:rPr><w:new/></w:pPr> a &amp; <w:b/><w:a/></w:p></w:d>";
        assert_eq!(String::from_utf8(in_order(part.as_bytes())).unwrap(), sorted);
        assert_eq!(in_order(sorted.as_bytes()), sorted.as_bytes());
        assert_eq!(in_order(b"<broken"), b"<broken");
    }
}
