//! The committed introspection document is what both doors serve.

use std::collections::BTreeSet;

use tokenvault_tests::{ALICE, Door, Vault};

/// A document as a set of facts, each a path of elements: layout, order and comments do not count.
fn facts(document: &str) -> BTreeSet<String> {
    let (mut facts, mut path) = (BTreeSet::new(), Vec::new());
    for element in elements(document) {
        if element.starts_with('/') {
            path.pop();
            continue;
        }
        let (element, is_empty) = match element.strip_suffix('/') {
            Some(element) => (element.trim_end(), true),
            None => (element.as_str(), false),
        };
        // Arguments are told apart by their place, everything else by its attributes.
        let place =
            facts.iter().filter(|fact: &&String| fact.starts_with(&format!("{} > arg", path.join(" > ")))).count();
        let normal =
            if element.starts_with("arg") { format!("arg {place} {}", sorted(element)) } else { sorted(element) };
        path.push(normal);
        facts.insert(path.join(" > "));
        if is_empty {
            path.pop();
        }
    }
    assert!(path.is_empty(), "the document is not closed");
    facts
}

/// The text between each pair of angle brackets, without comments and declarations.
fn elements(document: &str) -> Vec<String> {
    let mut text = String::new();
    let mut rest = document;
    while let Some((before, comment)) = rest.split_once("<!--") {
        text.push_str(before);
        rest = comment.split_once("-->").expect("a comment that ends").1;
    }
    text.push_str(rest);
    let parts = text.split('<').skip(1).map(|part| part.split('>').next().unwrap_or_default().trim().to_owned());
    parts.filter(|element| !element.starts_with(['!', '?'])).collect()
}

/// An element with its attributes in order.
fn sorted(element: &str) -> String {
    let (name, attributes) = element.split_once(char::is_whitespace).unwrap_or((element, ""));
    let mut attributes: Vec<&str> =
        attributes.split_inclusive("\" ").map(str::trim).filter(|a| !a.is_empty()).collect();
    attributes.sort_unstable();
    format!("{name} {}", attributes.join(" "))
}

/// The interfaces of ours in a document; the standard ones come from the D-Bus library.
fn our_interfaces(document: &str) -> BTreeSet<String> {
    let facts = facts(document);
    let ours: BTreeSet<String> = facts.into_iter().filter(|fact| fact.contains("name=\"org.tokenvault1.")).collect();
    let from_interface = |fact: String| fact[fact.find("interface ").expect("an interface")..].to_owned();
    ours.into_iter().map(from_interface).collect()
}

#[test]
fn the_committed_document_is_what_is_served() {
    let file = tokenvault_tests::program::source_root().join("packaging/dbus/org.tokenvault1.xml");
    let committed = std::fs::read_to_string(file).expect("packaging/dbus/org.tokenvault1.xml");
    let committed = our_interfaces(&committed);
    let vault = Vault::start();
    for door in Door::ALL {
        let served = our_interfaces(&vault.wire(ALICE, door).introspect());
        let missing: Vec<_> = committed.difference(&served).collect();
        let unknown: Vec<_> = served.difference(&committed).collect();
        assert!(missing.is_empty() && unknown.is_empty(), "committed only: {missing:#?}\nserved only: {unknown:#?}");
    }
    assert!(committed.len() > 40, "the document is there: {} facts", committed.len());
}

#[test]
fn a_difference_between_two_documents_is_seen() {
    let document = r#"<?xml version="1.0"?><!-- c --><node><interface name="org.tokenvault1.X">
        <method name="M"><arg name="a" type="s" direction="in"/><arg name="b" type="u" direction="in"/></method>
        </interface></node>"#;
    let same = document.replace(r#"name="a" type="s" direction="in""#, r#"direction="in" type="s" name="a""#);
    assert_eq!(our_interfaces(document), our_interfaces(&same));
    for (from, to) in [("type=\"u\"", "type=\"t\""), ("name=\"M\"", "name=\"N\""), ("name=\"b\"", "name=\"c\"")] {
        assert_ne!(our_interfaces(document), our_interfaces(&document.replace(from, to)), "{from}");
    }
    let swapped = document.replace(
        r#"<arg name="a" type="s" direction="in"/><arg name="b" type="u" direction="in"/>"#,
        r#"<arg name="b" type="u" direction="in"/><arg name="a" type="s" direction="in"/>"#,
    );
    assert_ne!(our_interfaces(document), our_interfaces(&swapped), "order of arguments");
}
