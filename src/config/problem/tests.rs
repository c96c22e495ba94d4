use super::page::Shown;
use super::sensitive::{cover, is_secret_name, looks_secret, quoted};
use super::*;

fn problem(line: u32, column: u32) -> Problem {
    Problem {
        place: Place { line, column },
        path: Path(vec![Step::Key("routes".to_owned()), Step::Index(1), Step::Key("url.path".to_owned())]),
        message: "exporter `rolbar` is not defined".to_owned(),
        hint: Some("did you mean `rollbar`?".to_owned()),
        kind: Kind::Rule,
    }
}

/// A page of which everything is understood, with the given texts covered.
fn page(text: &str, hidden: &[&str]) -> Page {
    let mut page = Page::new("gateway.yaml".to_owned(), text.to_owned());
    page.understand(Vec::new());
    for piece in hidden {
        let start = text.find(piece).unwrap();
        page.hide(&(start..start + piece.len()));
    }
    page
}

#[test]
fn a_problem_shows_place_line_path_and_hint() {
    let text = "routes:\n  - to: [honeycomb, rolbar] # hcaik_old\n";
    let mut problems = Problems::new(page(text, &[]));
    problems.push(problem(2, 20));
    assert_eq!(
        problems.to_string(),
        "gateway.yaml:2:20: exporter `rolbar` is not defined\n\
         \x20 2 |   - to: [honeycomb, rolbar]\n\
         \x20   |                    ^ routes[1].\"url.path\"\n\
         hint: did you mean `rollbar`?"
    );
    let lines: Vec<String> = problems.lines().collect();
    assert_eq!(
        lines,
        ["gateway.yaml:2:20: routes[1].\"url.path\": exporter `rolbar` is not defined; did you mean `rollbar`?"]
    );
}

#[test]
fn problems_come_in_the_order_of_the_file_and_once() {
    let mut problems = Problems::new(page("", &[]));
    for line in [3, 1, 2, 1] {
        problems.push(problem(line, 1));
    }
    let lines: Vec<u32> = problems.iter().map(|problem| problem.place.line).collect();
    assert_eq!(lines, [1, 2, 3]);
    for line in 4..1_000 {
        problems.push(problem(line, 1));
    }
    assert_eq!(problems.len(), PROBLEMS_MAX);
    assert!(problems.to_string().ends_with("only the first 100 problems are shown"));
}

#[test]
fn a_covered_piece_moves_the_caret_along() {
    let page = page("{api_key: hcaik_1234567, endpoint: 5}", &["hcaik_1234567"]);
    let shown = page.show(Place { line: 1, column: 36 }).unwrap();
    assert_eq!(shown.text, "{api_key: ***, endpoint: 5}");
    assert_eq!(&shown.text[shown.caret..], "5}");
}

#[test]
fn every_line_of_a_covered_block_is_covered() {
    let page = page("key: |\n  one two\n  three\nend: 1\n", &["one two\n  three\n"]);
    let show = |line| page.show(Place { line, column: 3 }).map(|shown| shown.text);
    assert_eq!(show(2), Some("  ***".to_owned()));
    assert_eq!(show(3), Some("  ***".to_owned()));
    assert_eq!(show(4), Some("end: 1".to_owned()));
    assert_eq!(show(5), None);
}

#[test]
fn of_a_text_that_is_no_yaml_only_the_shape_is_shown() {
    for (line, shape) in [
        ("  api_key: hunter2: x", "  api_key: *** ***"),
        ("\t- token: [hunter2, 'x y'", " - token: [***, '*** ***'"),
        ("hunter2", "***"),
        ("  hunter2: swordfish", "  *** ***"),
        ("{api_key: hunter2", "{*** ***"),
    ] {
        let page = Page::new(String::new(), line.to_owned());
        let shown = page.show(Place { line: 1, column: 1 }).unwrap();
        assert_eq!(shown.text, shape);
    }
}

#[test]
fn a_long_line_is_cut_around_the_place_and_control_characters_are_replaced() {
    let long = format!("{}\u{1b}[31mX{}", "a".repeat(1_000), "b".repeat(1_000));
    let shown = page(&long, &[]).show(Place { line: 1, column: 1_006 });
    let Some(Shown { text, caret }) = shown else {
        panic!("nothing to see");
    };
    assert!(text.chars().count() <= 122 && !text.contains('\u{1b}'));
    assert_eq!(text.chars().nth(caret), Some('X'));
}

#[test]
fn secret_names_and_texts_are_told_from_others() {
    for name in
        ["api_key", "apikey", "X-API-Key", "access_token", "password", "headers", "secret_access_key", "Authorization"]
    {
        assert!(is_secret_name(name), "{name}");
    }
    for name in ["endpoint", "api_key_file", "key", "dataset", "region", "url.path"] {
        assert!(!is_secret_name(name), "{name}");
    }
    for text in
        ["hcaik_01hqk4k20cjeh63wca8vva5stw", "https://user:pass@host/x", "see 0123456789abcdef0123456789abcdef!"]
    {
        assert!(looks_secret(text), "{text}");
        assert_eq!(quoted(text), "`***`");
    }
    for text in ["https://api.honeycomb.io/v1", "us-east-1", "a quite long sentence without digits", "http.status_code"]
    {
        assert!(!looks_secret(text), "{text}");
    }
    assert_eq!(quoted("a\u{1b}b"), "`a\\u{1b}b`");
}

#[test]
fn a_log_line_is_one_line_and_no_form_shows_a_key_that_is_a_secret() {
    let mut problem = problem(1, 1);
    problem.message = "bad pattern:\n  (\n  ^".to_owned();
    problem.path = Path(vec![Step::Key("hcaik_01hqk4k20cjeh63wca8vva5stw".to_owned())]);
    assert_eq!(problem.line("f"), "f:1:1: ***: bad pattern:   (   ^; did you mean `rollbar`?");
    assert!(!format!("{problem:?}").contains("hcaik"));
}

#[test]
fn a_message_loses_what_it_repeats_of_a_secret() {
    for (message, secret, covered) in [
        ("`hunter2` is no port", "hunter2", "`***` is no port"),
        ("unknown unit `parsecs`", "10parsecs", "unknown unit `***`"),
        ("must not be a", "a", "must not be ***"),
        ("an apple", "a", "an apple"),
        ("found \"a\\\"b\"", "a\"b", "found \"***\""),
        ("nothing of it", "swordfish", "nothing of it"),
        ("HUNTER2 is wrong", "hunter2", "*** is wrong"),
    ] {
        assert_eq!(cover(message, secret), covered);
    }
}
