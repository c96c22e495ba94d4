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
