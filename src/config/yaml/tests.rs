use std::fmt::Write as _;

use super::*;
use crate::config::problem::Kind;

/// Prints a tree in one line: text in `'…'` unless plain, `@` before places of the outer level.
fn print(node: &Node) -> String {
    match &node.value {
        Value::Null => "null".to_owned(),
        Value::Scalar(scalar) if scalar.style == Style::Plain => scalar.text.clone(),
        Value::Scalar(scalar) => format!("{:?}", scalar.text),
        Value::Sequence(items) => {
            let items: Vec<String> = items.iter().map(print).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Mapping(entries) => {
            let print = |(key, value): &(Key, Node)| format!("{}: {}", key.text, print(value));
            let entries: Vec<String> = entries.iter().map(print).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

fn tree(text: &str) -> Node {
    let parsed = parse(text);
    assert_eq!(parsed.problems, [], "{text}");
    parsed.root.unwrap()
}

/// The problems as `line:column message`.
fn problems(text: &str) -> Vec<String> {
    let parsed = parse(text);
    let line = |problem: &Problem| format!("{} {}", problem.place, problem.message);
    parsed.problems.iter().map(line).collect()
}

#[test]
fn raw_text_style_and_order_are_kept() {
    let text = "b: 0123\na: \"0123\"\nlist: [yes, 1.10, ~, '']\nblock: |\n  one\n  two\nnothing:\n";
    assert_eq!(
        print(&tree(text)),
        r#"{b: 0123, a: "0123", list: [yes, 1.10, null, ""], block: "one\ntwo\n", nothing: null}"#
    );
}

#[test]
fn every_node_knows_its_place() {
    let root = tree("a:\n  - x\n  - {b: 'ü', c: d}\n");
    let item = &root.get("a").unwrap().items()[1];
    assert_eq!(item.place, Place { line: 3, column: 5 });
    assert_eq!(item.get("c").unwrap().place, Place { line: 3, column: 17 });
    assert_eq!(item.entries()[1].0.place, Place { line: 3, column: 14 });
}

#[test]
fn an_alias_is_a_copy_of_its_anchor() {
    let root = tree("a: &x {k: v}\nb: *x\n");
    assert_eq!(print(&root), "{a: {k: v}, b: {k: v}}");
    assert_eq!(root.at(&["b", "k"]).unwrap().place.line, 1);
    let mut numbers = Vec::new();
    let mut rest = vec![&root];
    while let Some(node) = rest.pop() {
        numbers.push(node.id);
        rest.extend(node.entries().iter().map(|(_, value)| value));
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3, 4], "each copy has a number of its own");
}

#[test]
fn own_keys_win_over_merged_ones_and_earlier_ones_over_later() {
    let text =
        "one: &one {a: 1, b: 1}\ntwo: &two {b: 2, c: 2}\nboth: {c: 0, <<: [*one, *two], d: 0}\nsingle:\n  <<: *two\n";
    let root = tree(text);
    assert_eq!(print(root.get("both").unwrap()), "{c: 0, d: 0, a: 1, b: 1}");
    assert_eq!(print(root.get("single").unwrap()), "{b: 2, c: 2}");
    assert_eq!(print(&tree("'<<': {a: 1}")), "{<<: {a: 1}}", "in quotes it is an ordinary key");
    assert_eq!(problems("<<: 5"), ["1:1 only a mapping can be merged by `<<`"]);
}

#[test]
fn a_duplicate_key_is_a_problem_and_the_first_one_counts() {
    let parsed = parse("a:\n  b: 1\n  c: 2\n  b: 3\n");
    let problem = &parsed.problems[0];
    assert_eq!(problem.kind, Kind::DuplicateKey);
    assert_eq!(problem.line("f"), "f:4:3: a.b: key `b` is written twice; the first is in line 2");
    assert_eq!(print(&parsed.root.unwrap()), "{a: {b: 1, c: 2}}");
}

#[test]
fn what_is_no_single_document_of_plain_keys_is_a_problem() {
    assert_eq!(problems("a: 1\n---\nb: 2\n"), ["2:1 a second document starts here; one file is one document"]);
    assert_eq!(problems("a: !include b\n"), ["1:13 tag `!include` is not supported"]);
    assert_eq!(problems("[x]: y\n"), ["1:1 a key must be text, not a list or mapping"]);
    assert_eq!(problems("a: &a [*a]\n"), ["1:8 alias stands inside of what it refers to"]);
    assert_eq!(problems("a: !!str 5\nb: !!int 5\n"), [""; 0]);
}

#[test]
fn broken_syntax_has_a_place_and_where_it_can_a_hint() {
    let problem = |text: &str| parse(text).problems[0].line("f");
    assert!(problem("a:\n\tb: c\n").starts_with("f:2:2: "));
    assert!(problem("a:\n\tb: c\n").ends_with("; indent with spaces instead of tabs"));
    assert!(problem("a: [${X}]\n").ends_with("; inside [ ] and { } a variable needs quotes: \"${NAME}\""));
    assert!(problem("a: b: c\n").starts_with("f:1:5: "));
}

#[test]
fn an_empty_file_is_null() {
    for text in ["", "# nothing yet\n", "---\n", "~"] {
        assert_eq!(print(&tree(text)), "null", "{text:?}");
    }
}

#[test]
fn bombs_end_at_a_bound() {
    let mut doubling = String::from("a0: &a0 [x, x]\n");
    for level in 1..60 {
        writeln!(doubling, "a{level}: &a{level} [*a{0}, *a{0}]", level - 1).unwrap();
    }
    let mut merging = String::from("a0: &a0 {k0: x, l0: x}\n");
    for level in 1..2_000 {
        writeln!(merging, "a{level}: &a{level} {{<<: *a{}, k{level}: x}}", level - 1).unwrap();
    }
    let deep_flow = "[".repeat(100_000);
    let deep_block = "- ".repeat(100_000);
    let wide = "- x\n".repeat(NODES_MAX + 1);
    let long = " ".repeat(FILE_BYTES_MAX + 1);
    let mut nested = String::from("a0: &a0 [x]\n");
    for level in 1..100 {
        writeln!(nested, "a{level}: &a{level} [*a{}]", level - 1).unwrap();
    }
    let repeated = format!("a: &a {}\nb: [{}x]\n", "y".repeat(500_000), "*a, ".repeat(1_000));
    for text in [repeated, doubling, merging, deep_flow, deep_block, wide, long, nested] {
        let parsed = parse(&text);
        assert!(parsed.root.is_none(), "{text:.40}");
        assert_eq!(parsed.problems.len(), 1, "{text:.40}");
    }
}

#[test]
fn scalars_follow_the_core_schema() {
    let scalar = |text: &str, style| Scalar { text: text.to_owned(), style, origin: Origin::File };
    for (text, boolean, integer, float) in [
        ("true", Some(true), None, None),
        ("yes", None, None, None),
        ("12", None, Some(12), Some(12.0)),
        ("-12", None, Some(-12), Some(-12.0)),
        ("+12", None, Some(12), Some(12.0)),
        ("0123", None, Some(123), Some(123.0)),
        ("0o17", None, Some(15), Some(15.0)),
        ("0x1F", None, Some(31), Some(31.0)),
        ("1.5e3", None, None, Some(1500.0)),
        (".5", None, None, Some(0.5)),
        ("-.inf", None, None, Some(f64::NEG_INFINITY)),
        ("inf", None, None, None),
        ("--1", None, None, None),
        ("0x-1", None, None, None),
        ("1_000", None, None, None),
        ("1 ", None, None, None),
        (".", None, None, None),
        ("", None, None, None),
    ] {
        let plain = scalar(text, Style::Plain);
        assert_eq!((plain.boolean(), plain.integer(), plain.float()), (boolean, integer, float), "{text}");
        let quoted = scalar(text, Style::Quoted);
        assert_eq!((quoted.boolean(), quoted.integer(), quoted.float()), (None, None, None), "{text}");
    }
    assert!(scalar(".nan", Style::Plain).float().unwrap().is_nan());
}
