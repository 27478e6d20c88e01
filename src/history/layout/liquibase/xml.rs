//! A changelog in XML.

use roxmltree::ParsingOptions;

use super::node::{Document, NESTING_CAP, Node, Value};

/// Reads the elements of a file.
///
/// # Errors
/// It is no XML, or nested too deep.
pub(super) fn read(text: &str) -> Result<Document, String> {
    // Old changelogs name a DTD. The parser reads none from elsewhere, and bounds what entities expand to.
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document = roxmltree::Document::parse_with_options(text, options).map_err(|error| error.to_string())?;
    let comments = document.descendants().filter(roxmltree::Node::is_comment).map(|comment| comment.range()).collect();
    Ok(Document { root: node(document.root_element(), NESTING_CAP)?, comments })
}

fn node(element: roxmltree::Node<'_, '_>, depth: usize) -> Result<Node, String> {
    if depth == 0 {
        return Err(format!("nested more than {NESTING_CAP} deep"));
    }
    let mut node = Node { name: element.tag_name().name().to_string(), range: element.range(), ..Node::default() };
    for attribute in element.attributes() {
        let value = Value { text: attribute.value().to_string(), range: attribute.range_value() };
        node.values.push((attribute.name().to_string(), value));
    }
    let mut text: Option<Value> = None;
    for child in element.children() {
        if child.is_element() {
            node.children.push(self::node(child, depth - 1)?);
        } else if let Some(piece) = child.text().filter(|_| child.is_text()) {
            let text = text.get_or_insert_with(|| Value { text: String::new(), range: child.range() });
            text.text += piece;
            // What an entity stands for lies where that is defined.
            text.range.end = text.range.end.max(child.range().end);
        }
    }
    if let Some(text) = text.filter(|text| !text.text.trim().is_empty()) {
        node.values.push((String::new(), text));
    }
    Ok(node)
}
