//! `gateway.yaml` as a whole: what is shipped reads, what is wrong is said.

use telemetry_gateway::config::Config;
use telemetry_gateway::exporter::pace::Preview;

const SHIPPED: &str = include_str!("../../gateway.yaml");

fn parse(yaml: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let environment =
        |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    Config::parse("gateway.yaml", yaml.to_owned(), &environment)
        .map(|(config, _)| config)
        .map_err(|problems| problems.to_string())
}

#[test]
fn the_shipped_file_reads_without_any_variable_set_and_previews() {
    let config = parse(SHIPPED, &[]).unwrap();
    let previews: Vec<_> =
        config.gateway.exporters.iter().map(|named| (named.name.value.as_str(), named.config.preview())).collect();
    assert_eq!(previews, [("honeycomb", Preview::On), ("xray", Preview::Auto), ("rollbar", Preview::On)]);
    assert_eq!(config.tolerated.len(), 2);
}

#[test]
fn the_shipped_file_sends_once_its_keys_are_set() {
    let config = parse(SHIPPED, &[("HONEYCOMB_API_KEY", "hcaik_test"), ("ROLLBAR_ACCESS_TOKEN", "token")]).unwrap();
    let previews: Vec<_> = config.gateway.exporters.iter().map(|named| named.config.preview()).collect();
    assert_eq!(previews, [Preview::Off, Preview::Auto, Preview::Off]);
}

#[test]
fn the_shipped_file_reads_alike_with_the_upstream_yaml_parser() {
    let upstream: serde_json::Value = serde_yaml_upstream::from_str(SHIPPED).unwrap();
    let ours: serde_json::Value = serde_yaml::from_str(SHIPPED).unwrap();
    assert_eq!(ours, upstream);
}

#[test]
fn a_missing_credential_is_an_error_without_preview() {
    let without_preview = SHIPPED.replace("preview: auto", "preview: false");
    let problems = parse(&without_preview, &[]).unwrap_err();
    assert!(problems.contains("environment variable `HONEYCOMB_API_KEY` is not set"), "{problems}");
    assert!(problems.contains("environment variable `ROLLBAR_ACCESS_TOKEN` is not set"), "{problems}");
    let absent = "exporters: { honeycomb: {}, rollbar: {}, otlp: {}, file: {} }\ndefault: [honeycomb]";
    let problems = parse(absent, &[]).unwrap_err();
    for part in ["needs an `api_key`", "needs an `access_token`", "needs an `endpoint`", "needs a `path`"] {
        assert!(problems.contains(part), "{part}: {problems}");
    }
}

#[test]
fn all_problems_come_at_once_with_place_line_and_hint() {
    let yaml = "receivers:
  otlp:
    listen: [\"localhost\"]
exporters:
  honeycom:
    api_key: hcaik_secret_value
  rollbar:
    acces_token: abc
    concurrency: many
routes:
  - name: errors
    when: { status: error }
    to: [rolbar]
default: [rollbar]
jurnal: {}
";
    let problems = parse(yaml, &[]).unwrap_err();
    for part in [
        "gateway.yaml:3:14: `localhost` is no address to listen on",
        "gateway.yaml:5:3: `honeycom` is no kind of exporter",
        "hint: did you mean `honeycomb`?",
        "gateway.yaml:8:5: ",
        "acces_token",
        "did you mean `access_token`?",
        "gateway.yaml:9:18: ",
        "gateway.yaml:13:10: exporter `rolbar` is not defined",
        "did you mean `rollbar`?",
        "gateway.yaml:15:1: ",
        "did you mean `journal`?",
    ] {
        assert!(problems.contains(part), "{part}\n{problems}");
    }
    assert!(!problems.contains("hcaik_secret_value"), "{problems}");
}

#[test]
fn what_only_follows_from_a_problem_is_not_said() {
    for (exporter, expected) in [
        ("honeycomb: { apikey: x }", "unknown key `apikey`"),
        ("rollbar: { access_token: [x] }", "expected text, found a list"),
        ("honeycomb: { api_key: '${UNCLOSED' }", "`${` is not closed"),
        ("honeycomb: { api_key: '${UNSET}' }", "`UNSET` is not set"),
    ] {
        let yaml = format!("exporters:\n  {exporter}\ndefault: []");
        let problems = parse(&yaml, &[]).unwrap_err();
        assert!(problems.contains(expected) && problems.matches("f:").count() <= 1, "{problems}");
        assert!(!problems.contains("needs an"), "{problems}");
    }
    let both = "exporters: { otlp: { endpoint: nowhere, concurency: 1 } }\ndefault: []";
    let problems = parse(both, &[]).unwrap_err();
    assert!(problems.contains("no http or https URL") && problems.contains("concurency"), "{problems}");
}

#[test]
fn a_file_that_is_no_utf8_has_the_place_told() {
    let load = |bytes: &[u8]| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        Config::load(file.path()).map(|_| ()).unwrap_err().to_string()
    };
    let latin1 = load(b"exporters:\n  rollbar: { access_token: gar\xe7on123 }\ndefault: []\n");
    assert!(latin1.contains(":2:31: the file is not UTF-8 here"), "{latin1}");
    assert!(!latin1.contains("gar") && !latin1.contains("on123"), "{latin1}");
    let utf16 = load(b"\xff\xfed\0e\0f\0");
    assert!(utf16.contains(":1:1: ") && utf16.contains("hint: it is UTF-16: save it as UTF-8"), "{utf16}");
    let long = load("é".repeat(700_000).as_bytes());
    assert!(long.contains("more than 1048576"), "{long}");
}

#[test]
fn two_listeners_of_one_address_are_found_before_the_start() {
    let said = |otlp: &str, admin: &str| {
        let yaml = format!(
            "receivers: {{ otlp: {{ listen: [{otlp}] }} }}\nadmin: {{ listen: {admin:?} }}\n\
             exporters: {{ console: {{}} }}\ndefault: []"
        );
        parse(&yaml, &[]).err().unwrap_or_default()
    };
    for (otlp, admin, expected) in [
        ("'0.0.0.0:1', '127.0.0.1:1'", "127.0.0.1:2", ":1:44: `127.0.0.1:1` is listened on already"),
        ("'127.0.0.1:1', '0.0.0.0:1'", "127.0.0.1:2", "`0.0.0.0:1` is listened on already"),
        ("'127.0.0.1:1'", "127.0.0.1:1", ":2:18: `127.0.0.1:1` of `admin.listen` is listened on already"),
        ("'0.0.0.0:1'", "127.0.0.1:1", "by `0.0.0.0:1` of `receivers.otlp`"),
        ("'[::]:1'", "[::1]:1", "`[::1]:1` of `admin.listen`"),
    ] {
        let said = said(otlp, admin);
        assert!(said.contains(expected), "{otlp} {admin}: {said}");
    }
    for (otlp, admin) in [
        ("'127.0.0.1:0', '127.0.0.1:0'", "127.0.0.1:0"),
        ("'127.0.0.1:1', '127.0.0.2:1'", "127.0.0.3:1"),
        ("'0.0.0.0:1', '[::1]:1'", "127.0.0.1:2"),
    ] {
        assert_eq!(said(otlp, admin), "", "{otlp} {admin}");
    }
    let defaults =
        parse("admin: { listen: '127.0.0.1:4318' }\nexporters: { console: {} }\ndefault: []", &[]).unwrap_err();
    assert!(defaults.contains(":1:18: `127.0.0.1:4318` of `admin.listen`"), "{defaults}");
}

#[test]
fn small_slips_have_their_place_and_hint() {
    for (rest, expected) in [
        ("journal: { max_bytes: 0 }", "gateway.yaml:3:23: `journal.max_bytes` is 0"),
        ("routes: [{ name: a, to: console }]", "hint: a list is written in brackets: [console]"),
        ("receivers: { otlp: { listen: '0.0.0.0:4318' } }", "brackets: [0.0.0.0:4318]"),
        ("routes: [{ name: a }]", "hint: add `to: …`"),
        ("routes:", "hint: an empty list is written []"),
        ("routes: [{ name: a, to: [], when: { duration: 1.5s } }]", "hint: whole numbers with their units"),
        ("log: { level: info", "hint: the mistake may stand above"),
    ] {
        let problems = parse(&format!("exporters: {{ console: {{}} }}\ndefault: [console]\n{rest}"), &[]).unwrap_err();
        assert!(problems.contains(expected), "{rest}: {problems}");
    }
}

#[test]
fn a_key_that_cannot_send_is_found_before_it_is_used() {
    let with_key =
        |key: &str| parse(&format!("exporters: {{ honeycomb: {{ api_key: {key} }} }}\ndefault: [honeycomb]"), &[]);
    assert!(with_key("hcaik_01").is_ok());
    let problems = with_key("hcamk_01").unwrap_err();
    assert!(problems.contains("management key") && !problems.contains("hcamk_01"), "{problems}");
    assert!(with_key("0123456789abcdef0123456789abcdef").unwrap_err().contains("Classic"));
}

#[test]
fn secrets_never_show_in_debug_output() {
    let yaml = "exporters:
  honeycomb: { api_key: hcaik_topsecret }
  rollbar: { access_token: topsecrettoken }
  otlp: { endpoint: 'http://localhost:1', headers: { authorization: Bearer topsecretheader } }
default: [honeycomb]";
    let config = parse(yaml, &[]).unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains("topsecret"), "{shown}");
}

#[test]
fn several_exporters_of_one_kind_have_names_of_their_own() {
    let yaml = "exporters:
  honeycomb: { api_key: a }
  honeycomb/eu: { api_key: b, endpoint: 'https://api.eu1.honeycomb.io' }
default: [honeycomb, honeycomb/eu]";
    assert_eq!(parse(yaml, &[]).unwrap().gateway.exporters.len(), 2);
    assert!(parse("exporters: { console: {}, console: {} }\ndefault: []", &[]).unwrap_err().contains("console"));
    let one_file = "exporters: { file/a: { path: x }, file/b: { path: x } }\ndefault: [file/a]";
    assert!(parse(one_file, &[]).unwrap_err().contains("written by another exporter"));
}
