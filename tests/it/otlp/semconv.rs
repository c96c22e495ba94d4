//! Every rename that the semantic conventions made resolves through [`Key`].

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value as Json;
use telemetry_gateway::otlp::select::single;
use telemetry_gateway::otlp::semconv::other_metric_name;
use telemetry_gateway::otlp::wire::put_bytes;
use telemetry_gateway::otlp::{Key, Value, groups};

/// Rows of the table that one name for another cannot express, by old and new name.
const NOT_BY_NAME: &[(&str, &str, &str)] = &[
    (
        "http.host",
        "http.request.header.host",
        "headers are lists; the host itself reads as server.address and server.port",
    ),
    ("net.peer.name", "client.address", "client or server depends on the span kind; reads as server.address"),
    ("net.sock.family", "network.type", "one old value becomes the value of another attribute"),
    ("net.sock.family", "network.transport", "as above"),
    ("db.mssql.instance_name", "db.namespace", "joined with another attribute: instance|database"),
    ("db.elasticsearch.path_parts.<key>", "db.operation.parameter.<key>", "a family of names"),
    ("db.instance.id", "server.address", "has no successor in general"),
    ("db.connection_string", "server.address", "must be parsed per driver"),
    ("db.connection_string", "server.port", "as above"),
    ("rpc.service", "rpc.method", "joined with another attribute: service/method"),
    ("rpc.grpc.request.metadata.<key>", "rpc.request.metadata.<key>", "a family of names"),
    ("rpc.grpc.response.metadata.<key>", "rpc.response.metadata.<key>", "a family of names"),
    ("rpc.connect_rpc.request.metadata.<key>", "rpc.request.metadata.<key>", "a family of names"),
    ("rpc.connect_rpc.response.metadata.<key>", "rpc.response.metadata.<key>", "a family of names"),
    ("span event \"exception\"", "log record with event_name \"exception\"", "no attribute; LogRecord::is_exception"),
    ("(none)", "error.type", "has no old name"),
    ("code.namespace", "code.function.name", "joined with another attribute: namespace.function"),
];

#[test]
fn every_rename_of_the_conventions_resolves_through_a_key() {
    let Some(table) = migrations() else { return };
    let rows = table["attributes"].as_array().unwrap();
    assert!(rows.len() > 100, "{} rows", rows.len());
    let mut used = 0;
    for row in rows {
        let old = row["old"].as_str().unwrap();
        for new in row["new"].as_array().unwrap() {
            let new = new.as_str().unwrap();
            let excused = NOT_BY_NAME.iter().any(|(left, right, _)| (*left, *right) == (old, new));
            used += usize::from(excused);
            assert_eq!(resolves(old, new), !excused, "{old} -> {new}");
        }
    }
    assert_eq!(used, NOT_BY_NAME.len(), "an excuse that no row needs");
}

#[test]
fn every_renamed_metric_has_its_other_name() {
    let Some(table) = migrations() else { return };
    let rows = table["metrics"].as_array().unwrap();
    assert!(rows.len() > 5, "{} rows", rows.len());
    for row in rows {
        let (old, new) = (row["old"].as_str().unwrap(), row["new"].as_str().unwrap());
        assert_eq!((other_metric_name(old), other_metric_name(new)), (Some(new), Some(old)));
    }
    assert_eq!(other_metric_name("http.server.active_requests"), None);
}

#[test]
fn every_changed_word_reads_as_the_present_one() {
    /// `net.sock.family` splits by value; `cloud.platform` kept its name, so nothing tells an old word from a new one.
    const NOT_BY_NAME: [&str; 2] = ["net.sock.family", "cloud.platform"];
    let Some(table) = migrations() else { return };
    for (old, words) in table["value_maps"].as_object().unwrap() {
        if NOT_BY_NAME.contains(&old.as_str()) {
            continue;
        }
        let key = Key::of(old).unwrap_or_else(|| panic!("{old} is no key's old name"));
        let (_, reading) = key.old_names().iter().find(|(name, _)| name == old).unwrap();
        for (word, present) in words.as_object().unwrap() {
            if let Some(present) = present.as_str() {
                let read = reading.read(Value::Str(word)).and_then(Value::as_str);
                assert_eq!(read, Some(present), "{old} = {word}");
            }
        }
    }
}

#[test]
fn a_reader_finds_the_present_name_before_the_old_ones() {
    type Case = (Key, &'static [(&'static str, &'static str)], Option<&'static str>);
    let cases: [Case; 7] = [
        (Key::HttpRequestMethod, &[("http.method", "GET")], Some("GET")),
        (Key::HttpRequestMethod, &[("http.method", "GET"), ("http.request.method", "PUT")], Some("PUT")),
        (Key::UrlPath, &[("http.target", "/a?b")], Some("/a")),
        (Key::UrlQuery, &[("http.target", "/a")], None),
        (Key::ServerAddress, &[("net.peer.name", "db"), ("http.host", "shop:80")], Some("shop")),
        (Key::DbSystemName, &[("db.system", "mssql")], Some("microsoft.sql_server")),
        (Key::ServiceName, &[("service", "no")], None),
    ];
    for (key, pairs, expected) in cases {
        let request = request_of(pairs);
        let group = groups(&request).next().unwrap();
        assert_eq!(group.resource.attributes.find_str(key), expected, "{key:?} in {pairs:?}");
    }
}

#[test]
fn no_old_name_is_listed_twice_under_one_key() {
    for key in Key::ALL {
        for (index, (old, _)) in key.old_names().iter().enumerate() {
            assert_ne!(*old, key.name());
            assert!(key.old_names()[..index].iter().all(|(other, _)| other != old), "{old}");
        }
    }
}

fn resolves(old: &str, new: &str) -> bool {
    let key = Key::ALL.iter().find(|key| key.name() == new);
    key.is_some_and(|key| key.old_names().iter().any(|(name, _)| *name == old) && Key::of(old).is_some())
}

proptest! {
    #[test]
    fn one_walk_finds_what_asking_for_each_name_in_turn_finds(
        key in 0..Key::ALL.len(),
        picks in vec((any::<Index>(), "[a-z:/?]{0,6}"), 0..6),
    ) {
        let key = Key::ALL[key];
        let old = key.old_names();
        let names: Vec<&str> = old.iter().map(|(name, _)| *name).chain([key.name(), "other"]).collect();
        let mut pairs: Vec<(&str, &str)> =
            picks.iter().map(|(pick, text)| (names[pick.index(names.len())], text.as_str())).collect();
        pairs.sort_by_key(|(name, _)| *name);
        pairs.dedup_by_key(|(name, _)| *name);
        pairs.sort_by_key(|(_, text)| *text); // any order but that of the names
        let request = request_of(&pairs);
        let attributes = groups(&request).next().unwrap().resource.attributes;
        let asked = attributes.get(key.name()).or_else(|| {
            old.iter().find_map(|(name, reading)| reading.read(attributes.get(name)?))
        });
        prop_assert_eq!(attributes.find_str(key), asked.and_then(Value::as_str));
    }
}

/// A request whose resource has these attributes.
fn request_of(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut resource = Vec::new();
    for (name, text) in pairs {
        let (mut attribute, mut value) = (Vec::new(), Vec::new());
        put_bytes(&mut value, 1, text.as_bytes());
        put_bytes(&mut attribute, 1, name.as_bytes());
        put_bytes(&mut attribute, 2, &value);
        put_bytes(&mut resource, 1, &attribute);
    }
    single(&resource, &[], &[])
}

/// The table of facts, where the checkout has it beside the repository.
fn migrations() -> Option<Json> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/otlp/semconv-attribute-migrations.json");
    let text = std::fs::read_to_string(path).inspect_err(|_| println!("skipped: the table of migrations is absent"));
    Some(serde_json::from_str(&text.ok()?).unwrap())
}
