use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::*;
use crate::stdx::located::{Located, Place};
use crate::stdx::nearest::nearest;
use crate::stdx::secret::Secret;
use crate::stdx::units::{ByteSize, Interval};

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    listen: Vec<SocketAddr>,
    name: String,
    journal: Journal,
    exporters: Exporters,
    routes: Vec<Route>,
    labels: BTreeMap<String, String>,
    ports: BTreeMap<u16, bool>,
    limits: Option<(u8, f64)>,
    level: Option<Level>,
    debug: bool,
    ratio: f64,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Journal {
    max_bytes: ByteSize,
    flush: Interval,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Route {
    #[serde(default)]
    name: Option<Located<String>>,
    to: Vec<Located<String>>,
    #[serde(default)]
    when: Option<When>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum When {
    Always,
    Name(String),
    Any(Vec<When>),
    Duration { at_least: Interval },
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Info,
    Error,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rollbar {
    #[serde(alias = "token")]
    access_token: Secret,
    environment: String,
    #[serde(default)]
    timeout: Interval,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Honeycomb {
    api_key: Option<Secret>,
    endpoint: Option<String>,
    headers: BTreeMap<String, Secret>,
    preview: bool,
    port: Option<u16>,
}

#[derive(Debug, PartialEq)]
enum Exporter {
    Honeycomb(Honeycomb),
    Rollbar(Rollbar),
}

#[derive(Debug, Default, PartialEq)]
struct Exporters(BTreeMap<Located<String>, Exporter>);

/// As a gateway's own visitor does it: the key decides on the type of the value.
impl<'de> Deserialize<'de> for Exporters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ByKind;
        impl<'de> Visitor<'de> for ByKind {
            type Value = Exporters;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a mapping")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Exporters, A::Error> {
                let mut exporters = BTreeMap::new();
                while let Some(key) = entries.next_key::<Located<String>>()? {
                    let kind = key.value.split('/').next().unwrap_or("");
                    let exporter = match kind {
                        "honeycomb" => Exporter::Honeycomb(entries.next_value()?),
                        "rollbar" => Exporter::Rollbar(entries.next_value()?),
                        _ => {
                            let fault = Fault::at(key.place, format!("unknown exporter kind `{kind}`"));
                            return Err(fault.did_you_mean(nearest(kind, ["honeycomb", "rollbar"])).raise());
                        }
                    };
                    exporters.insert(key, exporter);
                }
                Ok(Exporters(exporters))
            }
        }
        deserializer.deserialize_map(ByKind)
    }
}

fn environment(name: &str) -> Option<String> {
    match name {
        "KEY" => Some("swordfish".to_owned()),
        "PORT" => Some("4317".to_owned()),
        "DIGITS" => Some("0123".to_owned()),
        "YES" => Some("true".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn reading(text: &str) -> Reading<Config> {
    read(Source::new("f", text), &environment, &|tree, path| {
        let exporter = path.key(1).unwrap_or("");
        path.key(0) == Some("exporters") && tree.at(&["exporters", exporter, "preview"]).is_some_and(Node::is_true)
    })
}

fn good(text: &str) -> Config {
    reading(text).finish().unwrap_or_else(|problems| panic!("{problems}"))
}

/// The log lines of all problems; none of them, nor the long form, may hold a word of a secret.
fn check(text: &str, expected: &[&str]) {
    let problems = reading(text).problems;
    let lines: Vec<String> = problems.lines().collect();
    assert_eq!(lines, expected, "\n{problems}");
    for word in ["swordfish", "hunter", "hcaik"] {
        assert!(!problems.to_string().contains(word), "{problems}");
        assert!(!lines.concat().contains(word), "{lines:?}");
        assert!(!format!("{problems:?}").contains(word));
    }
}

const GOOD: &str = r#"
listen: ["0.0.0.0:4317", "[::1]:4318"]
name: 0123
journal: { max_bytes: 256MiB, flush: 200ms }
exporters:
  honeycomb/eu: &base
    api_key: "abc"
    headers: { x-team: "1", x-env: prod }
    port: 443
  honeycomb/us:
    <<: *base
    endpoint: https://example.com/a:b
  rollbar:
    access_token: tok
    environment: yes
    timeout: 1m30s
routes:
  - name: first
    to: [rollbar]
    when: { any: [ always, { name: "x" }, { duration: { at_least: 5s } } ] }
  - to: []
labels: { a: "1.10", b: plain, c: "true" }
ports: { 80: true, 443: false }
limits: [7, 1.5]
level: error
debug: true
ratio: 1
"#;

#[test]
fn a_good_file_reads_into_ordinary_types() {
    let config = good(GOOD);
    assert_eq!(config.name, "0123");
    assert_eq!(config.journal.max_bytes, ByteSize::mebibytes(256));
    assert_eq!(config.journal.flush, Interval::millis(200));
    assert_eq!(config.labels["a"], "1.10");
    assert_eq!(config.ports, BTreeMap::from([(80, true), (443, false)]));
    assert_eq!(config.limits, Some((7, 1.5)));
    assert_eq!(config.level, Some(Level::Error));
    let Exporter::Honeycomb(us) = &config.exporters.0[&Located::nowhere("honeycomb/us".to_owned())] else {
        panic!("{config:?}");
    };
    assert_eq!(us.api_key.as_ref().unwrap().expose(), "abc");
    assert_eq!(us.port, Some(443));
    assert_eq!(
        config.routes[0].when,
        Some(When::Any(vec![
            When::Always,
            When::Name("x".to_owned()),
            When::Duration { at_least: Interval::seconds(5) }
        ]))
    );
    assert_eq!(config.routes[0].to[0].place, Place { line: 19, column: 10 });
    let (key, _) = config.exporters.0.last_key_value().unwrap();
    assert_eq!(key.place, Place { line: 13, column: 3 });
}

/// The archived upstream crate writes enum variants with content as tags and knows no merge keys; all else is shared.
#[test]
fn the_upstream_reader_reads_the_same() {
    let text = GOOD.replace("    <<: *base\n", "").replace(
        "{ any: [ always, { name: \"x\" }, { duration: { at_least: 5s } } ] }",
        "!any [ always, !name x, !duration { at_least: 5s } ]",
    );
    let ours = GOOD.replace("    <<: *base\n", "");
    let theirs: Config = serde_yaml_upstream::from_str(&text).unwrap();
    assert_eq!(good(&ours), theirs);
    let Some(route) = theirs.routes.first() else {
        panic!("no routes");
    };
    assert_eq!(route.to[0].place, Place::NONE);
}

#[test]
fn all_problems_come_at_once_in_the_order_of_the_file() {
    check(
        r#"
listen: ["0.0.0.0:4317", nonsense]
journal: { max_bytes: 64K, flush: 30 }
exporters:
  honeycmb: {}
  honeycomb:
    port: 70000
    endpont: https://example.com
  rollbar:
    environment: {}
routes:
  - to: [rollbar]
    when: { any: [ { nam: x }, always, 5 ] }
  - name: second
debug: "true"
level: warm
nme: x
limits: [300, x]
"#,
        &[
            "f:2:26: listen[1]: invalid socket address syntax",
            "f:3:23: journal.max_bytes: expected a size such as 256MiB, 64KB or a number of bytes, found text `64K`",
            "f:3:35: journal.flush: expected a duration such as 30s, 200ms or 1h30m, found text `30`",
            "f:5:3: exporters.honeycmb: unknown exporter kind `honeycmb`; did you mean `honeycomb`?",
            "f:7:11: exporters.honeycomb.port: expected a whole number from 0 to 65535, found number `70000`",
            "f:8:5: exporters.honeycomb.endpont: unknown key `endpont`; did you mean `endpoint`?",
            "f:9:3: exporters.rollbar.access_token: missing key `access_token`; add `access_token: …`",
            "f:10:18: exporters.rollbar.environment: expected text, found a mapping",
            "f:13:22: routes[0].when.any[0].nam: unknown name `nam`; did you mean `name`?",
            "f:13:40: routes[0].when.any[2]: unknown name `5`; known names: always, name, any, duration",
            "f:14:5: routes[1].to: missing key `to`; add `to: …`",
            "f:15:8: debug: expected true or false, found text `true`",
            "f:16:8: level: unknown name `warm`; known names: info, error",
            "f:17:1: nme: unknown key `nme`; did you mean `name`?",
            "f:18:10: limits[0]: expected a whole number from 0 to 255, found number `300`",
            "f:18:15: limits[1]: expected a number, found text `x`",
        ],
    );
}

#[test]
fn all_missing_keys_of_a_section_are_told_at_once_and_what_follows_from_them_is_not() {
    check(
        "exporters:\n  rollbar: {}\nroutes:\n  - name: x\n",
        &[
            "f:2:3: exporters.rollbar.access_token: missing key `access_token`; add `access_token: …`",
            "f:2:3: exporters.rollbar.environment: missing key `environment`; add `environment: …`",
            "f:4:5: routes[0].to: missing key `to`; add `to: …`",
        ],
    );
}

#[test]
fn a_key_that_is_there_but_wrong_or_misspelt_is_not_missing_as_well() {
    check(
        "exporters:\n  rollbar:\n    acces_token: hunter2\n    environment: [a]\n",
        &[
            "f:3:5: exporters.rollbar.acces_token: unknown key `acces_token`; did you mean `access_token`?",
            "f:4:18: exporters.rollbar.environment: expected text, found a list",
        ],
    );
}

#[test]
fn an_alias_of_a_field_is_known() {
    let config = good("exporters:\n  rollbar: { token: a, environment: b }\n");
    assert_eq!(config.exporters.0.len(), 1);
}

#[test]
fn variables_are_text_unless_a_number_or_boolean_is_wanted() {
    let config = good(
        "name: ${DIGITS}\ndebug: \"${YES}\"\nlabels: { a: \"x ${PORT}\", b: \"${NONE:-[1]}\" }\n\
         exporters:\n  honeycomb:\n    port: ${PORT}\n    endpoint: ${EMPTY:-}\n",
    );
    assert_eq!(config.name, "0123");
    assert!(config.debug);
    assert_eq!(config.labels["a"], "x 4317");
    assert_eq!(config.labels["b"], "[1]");
    let (_, exporter) = config.exporters.0.first_key_value().unwrap();
    let expected = Honeycomb { port: Some(4317), ..Honeycomb::default() };
    assert_eq!(*exporter, Exporter::Honeycomb(expected));
}

#[test]
fn variables_that_are_not_set_are_problems_with_their_path() {
    check(
        "name: ${NONE}\nlabels: { a: \"${EMPTY}\", b: \"${x y}\" }\nexporters:\n  rollbar: { access_token: \"${T}\", environment: \"${E\" }\n",
        &[
            "f:1:7: name: environment variable `NONE` is not set; set it, or write a default: ${NONE:-…}",
            "f:2:14: labels.a: environment variable `EMPTY` is set but empty; give it a value, or write a default: ${EMPTY:-…}",
            "f:2:29: labels.b: `${…}` holds no name of a variable; write ${NAME} or ${NAME:-default}; `$$` stands for a dollar",
            "f:4:28: exporters.rollbar.access_token: environment variable `T` is not set; set it, or write a default: ${T:-…}",
            "f:4:49: exporters.rollbar.environment: `${` is not closed by `}`; write ${NAME} or ${NAME:-default}; `$$` stands for a dollar",
        ],
    );
}

#[test]
fn an_unset_variable_may_pass_where_the_caller_says_so() {
    let text = "exporters:\n  honeycomb: { api_key: \"${NONE}\", preview: true }\n";
    let reading = reading(text);
    let tolerated: Vec<String> = reading.tolerated.iter().map(|problem| problem.path.to_string()).collect();
    assert_eq!(tolerated, ["exporters.honeycomb.api_key"]);
    let kind = Kind::UnsetVariable { variable: "NONE".to_owned() };
    assert_eq!(reading.tolerated[0].kind, kind);
    let config = reading.finish().unwrap();
    let (_, exporter) = config.exporters.0.first_key_value().unwrap();
    let expected = Honeycomb { preview: true, ..Honeycomb::default() };
    assert_eq!(*exporter, Exporter::Honeycomb(expected));
    check(
        "exporters:\n  honeycomb: { api_key: \"${NONE}\", preview: false }\n",
        &[
            "f:2:25: exporters.honeycomb.api_key: environment variable `NONE` is not set; set it, or write a default: ${NONE:-…}",
        ],
    );
}

#[derive(Debug, Deserialize)]
struct Strict {
    #[allow(dead_code)]
    token: String,
}

#[test]
fn an_unset_variable_that_may_pass_is_a_problem_after_all_where_its_section_needs_it() {
    let reading: Reading<Strict> = read(Source::new("f", "token: ${NONE}"), &environment, &|_, _| true);
    assert!(reading.value.is_none());
    assert!(reading.tolerated.is_empty());
    let lines: Vec<String> = reading.problems.lines().collect();
    assert_eq!(lines, ["f:1:8: token: environment variable `NONE` is not set; set it, or write a default: ${NONE:-…}"]);
}

#[test]
fn no_secret_is_printed_wherever_it_stands() {
    for text in [
        // A misspelt key, a key of no section, one in a list.
        "exporters: { honeycomb: { apikey: hunter2, port: x } }",
        "exporters:\n  honeycomb:\n    apikey: hunter2",
        "exporters:\n  honeycomb:\n    kee:\n      - hunter2\n      - x: hunter3",
        "routes: [ { tok: hunter2 } ]",
        // Below a misspelt or wrong section, where nothing is known.
        "exporters: { honeycmb: { apikee: hunter2 } }",
        "exporters: { honeycmb: hunter2 }",
        "routes: { apikee: hunter2 }",
        "routes: [ { to: [], when: { nam: hunter2 } } ]",
        "routes: [ { to: [], when: { duration: [ hunter2 ] } } ]",
        "routes: [ { to: [], when: { always: hunter2, any: hunter3 } } ]",
        // A known key beside a problem on the same line, or after it.
        "exporters: { honeycomb: { api_key: hunter2, port: x, headers: { team: hunter2 } } }",
        "exporters: { honeycomb: { api_key: 'hunter2', prot: 1 } }",
        // A secret of the wrong type, or instead of a section.
        "exporters: { honeycomb: { api_key: [hunter2] } }",
        "exporters: { honeycomb: { api_key: {hunter2: 1} } }",
        "exporters: { honeycomb: hunter2 }",
        "exporters:\n  honeycomb: hunter2",
        "exporters:\n  - hunter2",
        "exporters: hunter2",
        "routes: [ hunter2 ]",
        "hunter2",
        // A value from the environment of the wrong form, in messages of ours, of serde and of others.
        "debug: ${KEY}",
        "ratio: \"${KEY}\"",
        "journal: { flush: \"10${KEY}\" }",
        "level: ${KEY}",
        "listen: [\"${KEY}\"]",
        "routes: [ { to: [], when: \"${KEY}\" } ]",
        "limits: ${KEY}",
        "exporters:\n  honeycomb:\n    port: ${KEY}",
        // Twice, as an alias, merged, in a comment, in a block.
        "exporters: { honeycomb: { api_key: a, api_key: hunter2 } }",
        "name: &n hunter2\nexporters: { honeycomb: { api_key: *n, port: *n } }",
        "exporters: { honeycomb: { <<: hunter2 } }",
        "debug: 5 # was hunter2",
        "exporters:\n  honeycomb:\n    api_key: |\n      hunter2\n      hunter3\n    api_key: >\n      hunter2\n",
        "exporters: { honeycomb: { api_key: {{ hunter2 }} } }",
        // Texts that look like keys, as values and keys of known sections.
        "debug: hcaik_01hqk4k20cjeh63wca8vva5stw",
        "hcaik_01hqk4k20cjeh63wca8vva5stw: 5",
        "exporters: { honeycomb: { hcaik_01hqk4k20cjeh63wca8vva5stw } }",
        "level: https://me:hunter2@example.com",
        // Defaults of variables.
        "exporters: { honeycomb: { api_key: \"${A:-hunter2}\", port: x } }",
        // Keys where a text belongs.
        "exporters: { honeycomb: { api_key: { hunter2: 1, hunter2: 2 } } }",
        "api_key: [ hunter2: x: y",
        "api_key:\n  hunter2: x: y",
        // No YAML at all.
        "exporters:\n  honeycomb: { api_key: hunter2",
        "exporters:\n  honeycomb:\n    api_key: hunter2: x",
        "api_key: 'hunter2",
        "api_key: |\n  hunter2\n hunter2",
        "api_key: hunter2\n\t hunter2",
    ] {
        let reading = reading(text);
        let shown = format!("{} {:?}", reading.problems, reading.problems);
        assert!(!reading.problems.is_empty(), "{text}");
        for word in ["hunter", "swordfish", "hcaik"] {
            assert!(!shown.contains(word), "{text}\n{shown}");
        }
    }
}

#[test]
fn the_name_of_a_variable_stays_visible() {
    let problems = reading("exporters:\n  rollbar:\n    access_token: ${ROLLBAR}\n").problems.to_string();
    assert!(problems.contains("access_token: ${ROLLBAR}\n"), "{problems}");
}

#[test]
fn a_check_after_reading_points_at_what_it_is_about() {
    let text = "exporters:\n  rollbar: { access_token: x, environment: y }\nroutes:\n  - to: [rolbar, \"${KEY}\"]\n";
    let mut reading = reading(text);
    let places: Vec<Located<String>> = reading.value.as_ref().unwrap().routes[0].to.clone();
    for exporter in places {
        let fault = Fault::at(exporter.place, format!("exporter `{exporter}` is not defined"));
        reading.complain(&fault.did_you_mean(nearest(&exporter.value, ["rollbar"])));
    }
    let problems = reading.finish().unwrap_err();
    assert_eq!(
        problems.to_string(),
        "f:4:10: exporter `rolbar` is not defined\n\
         \x20 4 |   - to: [rolbar, \"${KEY}\"]\n\
         \x20   |          ^ routes[0].to[0]\n\
         hint: did you mean `rollbar`?\n\
         f:4:18: exporter `***` is not defined\n\
         \x20 4 |   - to: [rolbar, \"${KEY}\"]\n\
         \x20   |                  ^ routes[0].to[1]"
    );
}

#[test]
fn sections_without_content_are_taken_as_empty() {
    let config = good("exporters:\n  honeycomb:\njournal:\nlimits:\nlevel: ~\n");
    assert_eq!(config.exporters.0.len(), 1);
    assert_eq!(good(""), Config::default());
}

#[test]
fn a_value_is_made_of_what_is_in_order() {
    let reading = reading("name: x\ndebug: 5\nlabels: { a: [], b: ok }\n");
    let config = reading.value.unwrap();
    assert_eq!(config.name, "x");
    assert_eq!(config.labels, BTreeMap::from([("b".to_owned(), "ok".to_owned())]));
    assert_eq!(reading.problems.len(), 2);
}

/// Numbers that are as good as random and the same in every run (xorshift, <https://doi.org/10.18637/jss.v008.i14>).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

#[test]
fn corrupted_files_end_in_a_value_or_in_problems() {
    const PIECES: [&str; 20] = [
        "\n",
        " ",
        "  ",
        "\t",
        ":",
        ": ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "&base ",
        "*base",
        "<<: ",
        "${",
        "$",
        "#",
        "\u{fffd}é\0",
    ];
    let lines: Vec<&str> = GOOD.lines().collect();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let (mut fine, mut broken) = (0, 0);
    for _ in 0..3_000 {
        let mut text: Vec<char> = GOOD.chars().collect();
        for _ in 0..=random.below(4) {
            let at = random.below(text.len());
            match random.below(5) {
                0 => text.truncate(at.max(1)),
                1 => drop(text.drain(at..(at + random.below(9)).min(text.len() - 1).max(at))),
                2 => drop(text.splice(at..at, PIECES[random.below(PIECES.len())].chars())),
                3 => text[at] = PIECES[random.below(PIECES.len())].chars().next().unwrap(),
                _ => drop(text.splice(at..at, lines[random.below(lines.len())].chars())),
            }
        }
        let text: String = text.into_iter().collect();
        let reading = reading(&text);
        assert!(reading.value.is_some() || !reading.problems.is_empty(), "{text}");
        let shown = reading.problems.to_string();
        assert_eq!(shown.is_empty(), reading.problems.is_empty());
        match reading.finish() {
            Ok(_) => fine += 1,
            Err(_) => broken += 1,
        }
    }
    assert!(fine > 100 && broken > 1_000, "{fine} fine, {broken} broken");
}

#[test]
fn a_file_full_of_mistakes_is_read_to_the_bound() {
    let mistakes: Vec<String> = (0..5_000).map(|n| format!("  k{n}: []")).collect();
    let text = format!("labels:\n{}\napikee: hunter2\n", mistakes.join("\n"));
    let problems = reading(&text).problems;
    assert_eq!(problems.len(), crate::config::problem::PROBLEMS_MAX);
    assert!(!problems.to_string().contains("hunter2"));
}
