//! Rules: written as YAML, asked with telemetry.

use telemetry_gateway::config::Config;
use telemetry_gateway::otlp::semconv::Reading;
use telemetry_gateway::otlp::{Batch, Kept, Key, Signal};
use telemetry_gateway::router::Router;

use crate::support::{batch, traces};

const EXPORTERS: &str = "exporters: { console/a: {}, console/b: {}, console/c: {} }\n";
const NAMES: [&str; 3] = ["a", "b", "c"];

fn router(rules: &str) -> Router {
    let yaml = format!("{EXPORTERS}{rules}");
    Config::parse("gateway.yaml", yaml, &|_| None).unwrap_or_else(|problems| panic!("{problems}")).1
}

/// The problems of rules, one line each without the file name.
fn problems(rules: &str) -> Vec<String> {
    let yaml = format!("{EXPORTERS}{rules}");
    let problems = Config::parse("gateway.yaml", yaml, &|_| None).expect_err("problems");
    problems.lines().map(|line| line.trim_start_matches("gateway.yaml:").to_owned()).collect()
}

/// Where each item of a batch goes, such as `["a", "bc", ""]`.
fn route(rules: &str, batch: &Batch) -> Vec<String> {
    let (routing, _) = router(rules).route(batch);
    let mut to = vec![String::new(); batch.items as usize];
    for (index, name) in NAMES.iter().enumerate() {
        if routing.exporters().contains(index) {
            let kept: Kept = routing.kept(index);
            for (item, to) in to.iter_mut().enumerate() {
                if kept.holds(item) {
                    to.push_str(name);
                }
            }
        }
    }
    to
}

/// Whether `when` holds for each span of a batch.
fn holds(when: &str, batch: &Batch) -> Vec<bool> {
    let rules = format!("routes: [{{ name: r, when: {when}, to: [console/a] }}]\ndefault: [console/b]");
    route(&rules, batch).iter().map(|to| to == "a").collect()
}

fn attribute(name: &str, value: &str) -> String {
    format!(r#""attributes":[{{"key":"{name}","value":{{{value}}}}}]"#)
}

#[test]
fn the_first_match_wins_unless_the_rule_continues() {
    let spans = traces("shop", &[r#""name":"one""#, r#""name":"two""#, r#""name":"three""#]);
    let rules = "
routes:
  - { name: first, when: { name: [one, two] }, to: [console/a], continue: true }
  - { name: second, when: { name: one }, to: [console/b] }
  - { name: third, when: { name: [one, three] }, to: [console/c] }
default: [console/c]";
    assert_eq!(route(rules, &spans), ["ab", "ac", "c"]);
    let router = router(rules);
    let (_, matched) = router.route(&spans);
    router.count(&matched);
    assert_eq!(router.matched().collect::<Vec<_>>(), [("first", 2), ("second", 1), ("third", 1), ("default", 1)]);
}

#[test]
fn rules_on_groups_and_on_items_keep_their_order_and_explain_agrees() {
    let conditions = [
        "{}",
        "{ service: shop }",
        "{ resource: { service.name: { not: shop } } }",
        "{ signal: logs }",
        "{ status: error }",
        "{ name: { glob: 'a*' } }",
        "{ any: [ { service: stock }, { name: a1 } ] }",
        "{ not: { status: error } }",
    ];
    let span = |name: &str, code: u8| format!(r#""name":"{name}","status":{{"code":{code}}}"#);
    let spans = [span("a1", 0), span("a2", 2), span("b", 2), span("b", 0)];
    let spans = spans.each_ref().map(String::as_str);
    let batches = [traces("shop", &spans), traces("stock", &spans)];
    let held = |when: &str| batches.each_ref().map(|batch| holds(when, batch));
    let table: Vec<(&str, [Vec<bool>; 2])> = conditions.iter().map(|when| (*when, held(when))).collect();
    for (first, first_holds) in &table {
        for (second, second_holds) in &table {
            for goes_on in ["true", "false"] {
                let rules = format!(
                    "routes: [{{ name: x, when: {first}, to: [console/a], continue: {goes_on} }}, \
                     {{ name: y, when: {second}, to: [console/b] }}]\ndefault: [console/c]"
                );
                // A route that can never match is refused, which another test looks at.
                let yaml = format!("{EXPORTERS}{rules}");
                let Ok((_, router)) = Config::parse("gateway.yaml", yaml, &|_| None) else { continue };
                for (at, batch) in batches.iter().enumerate() {
                    let explained =
                        router.explain(batch).into_iter().map(|(_, to)| to.iter().map(|at| NAMES[at]).collect());
                    let expected: Vec<String> = (0..spans.len())
                        .map(|item| match (first_holds[at][item], second_holds[at][item]) {
                            (true, _) if goes_on == "false" => "a",
                            (true, true) => "ab",
                            (true, false) => "ac",
                            (false, true) => "b",
                            (false, false) => "c",
                        })
                        .map(str::to_owned)
                        .collect();
                    assert_eq!(route(&rules, batch), expected, "{rules}");
                    assert_eq!(explained.collect::<Vec<String>>(), expected, "{rules}");
                }
            }
        }
    }
}

#[test]
fn a_rule_to_nowhere_takes_items_out() {
    let spans = traces("shop", &[&attribute("url.path", r#""stringValue":"/health""#), r#""name":"work""#]);
    let rules = "routes: [{ name: health, when: { attributes: { url.path: /health } }, to: [] }]\ndefault: [console/a]";
    assert_eq!(route(rules, &spans), ["", "a"]);
}

#[test]
fn each_field_of_a_span_can_be_asked() {
    let span = r#""name":"GET /cart","kind":2,"startTimeUnixNano":"1000000000","endTimeUnixNano":"1600000000",
        "status":{"code":2},"events":[{"name":"exception"}]"#;
    let spans = traces("shop", &[span, r#""name":"other""#]);
    for when in [
        "{ name: GET /cart }",
        "{ name: { glob: 'GET *' } }",
        "{ name: { regex: '^GET /c.rt$' } }",
        "{ kind: server }",
        "{ kind: [server, consumer] }",
        "{ status: error }",
        "{ exception: true }",
        "{ duration: { at_least: 600ms } }",
        "{ duration: { above: 500ms, below: 1s } }",
        "{ not: { name: other } }",
        "{ any: [ { name: nothing }, { kind: server } ] }",
        "{ all: [ { service: shop }, { kind: server } ] }",
        "{ service: shop, signal: traces, kind: server }",
    ] {
        assert_eq!(holds(when, &spans), [true, false], "{when}");
    }
    for when in
        ["{ signal: logs }", "{ service: { glob: 'sh?' } }", "{ severity: error }", "{ resource: { service.name: x } }"]
    {
        assert_eq!(holds(when, &spans), [false, false], "{when}");
    }
    for when in
        ["{ service: { glob: 'sh?p' } }", "{ signal: [traces, logs] }", "{ resource: { service.name: shop } }", "{}"]
    {
        assert_eq!(holds(when, &spans), [true, true], "{when}");
    }
}

#[test]
fn attributes_of_every_kind_compare_by_value_and_a_type_mismatch_is_no_match() {
    let holds = |when: &str, value: &str| {
        holds(&format!("{{ attributes: {{ x: {when} }} }}"), &traces("s", &[&attribute("x", value)]))[0]
    };
    for (when, value, expected) in [
        ("500", r#""intValue":"500""#, true),
        ("500", r#""doubleValue":500"#, true),
        ("500", r#""stringValue":"500""#, true),
        ("'500'", r#""intValue":"500""#, false),
        ("[404, 500]", r#""intValue":"500""#, true),
        ("{ at_least: 500, below: 600 }", r#""intValue":"503""#, true),
        ("{ at_least: 500, below: 600 }", r#""intValue":"600""#, false),
        ("{ at_least: 500 }", r#""stringValue":"many""#, false),
        ("{ at_least: 500 }", r#""intValue":"500""#, true),
        ("{ above: 500 }", r#""intValue":"500""#, false),
        ("{ at_most: 500 }", r#""intValue":"500""#, true),
        ("{ below: 500 }", r#""intValue":"500""#, false),
        ("true", r#""boolValue":true"#, true),
        ("true", r#""boolValue":false"#, false),
        ("word", r#""intValue":"1""#, false),
        ("{ glob: '/api/*' }", r#""stringValue":"/api/v1/x""#, true),
        ("{ glob: '/api/?' }", r#""stringValue":"/api/v1""#, false),
        ("{ glob: 'a.c' }", r#""stringValue":"abc""#, false),
        ("{ regex: 'v[0-9]' }", r#""stringValue":"/api/v1/x""#, true),
        ("{ exists: true }", r#""stringValue":"""#, true),
        ("{ exists: false }", r#""stringValue":"""#, false),
        ("{ not: word }", r#""stringValue":"other""#, true),
        ("{ not: { glob: 'o*' } }", r#""stringValue":"other""#, false),
        ("b", r#""arrayValue":{"values":[{"stringValue":"a"},{"stringValue":"b"}]}"#, true),
        ("c", r#""arrayValue":{"values":[{"stringValue":"a"},{"stringValue":"b"}]}"#, false),
    ] {
        assert_eq!(holds(when, value), expected, "{when} on {value}");
    }
}

#[test]
fn an_absent_attribute_matches_nothing_but_its_absence() {
    let spans = traces("shop", &["", &attribute("x", r#""intValue":"1""#)]);
    assert_eq!(holds("{ attributes: { x: { exists: false } } }", &spans), [true, false]);
    assert_eq!(holds("{ attributes: { x: { below: 5 } } }", &spans), [false, true]);
    assert_eq!(holds("{ attributes: { x: { not: 1 } } }", &spans), [true, false]);
}

#[test]
fn old_and_new_names_of_an_attribute_are_one_to_a_rule() {
    let old = attribute("http.status_code", r#""intValue":"503""#);
    let new = attribute("http.response.status_code", r#""intValue":"503""#);
    let target = attribute("http.target", r#""stringValue":"/health?full=1""#);
    let spans = traces("shop", &[&old, &new, &target]);
    for name in ["http.status_code", "http.response.status_code"] {
        assert_eq!(holds(&format!("{{ attributes: {{ {name}: {{ at_least: 500 }} }} }}"), &spans), [true, true, false]);
    }
    assert_eq!(holds("{ attributes: { url.path: /health } }", &spans), [false, false, true]);
}

#[test]
fn every_rename_of_the_conventions_is_one_name_to_a_rule_in_both_directions() {
    let text = |name: &str, value: &str| attribute(name, &format!(r#""stringValue":"{value}""#));
    for key in Key::ALL {
        for (old, reading) in key.old_names() {
            let words: &[(&str, &str)] = match reading {
                Reading::Same => &[("word", "word")],
                Reading::Value(vocabulary) => &[vocabulary, &[("word", "word")][..]].concat(),
                // What was split is not the same value under both names.
                _ => continue,
            };
            for (before, after) in words {
                let spans = traces("s", &[&text(old, before), &text(key.name(), after), &text(old, "other")]);
                for (name, value) in [(*old, *before), (key.name(), *after), (*old, *after), (key.name(), *before)] {
                    let when = format!("{{ attributes: {{ {name}: '{value}' }} }}");
                    assert_eq!(holds(&when, &spans), [true, true, false], "{when}: {old} = {before}");
                    let when = format!("{{ attributes: {{ {name}: {{ not: '{value}' }} }} }}");
                    assert_eq!(holds(&when, &spans), [false, false, true], "{when}: {old} = {before}");
                }
            }
        }
    }
}

#[test]
fn an_old_attribute_that_was_split_is_put_together_for_a_rule() {
    let attributes = |pairs: &[(&str, &str)]| {
        let one = |(name, value): &(&str, &str)| format!(r#"{{"key":"{name}","value":{{{value}}}}}"#);
        format!(r#""attributes":[{}]"#, pairs.iter().map(one).collect::<Vec<_>>().join(","))
    };
    let health = ("url.path", r#""stringValue":"/health""#);
    let query = ("url.query", r#""stringValue":"full=1""#);
    let shop = ("server.address", r#""stringValue":"shop""#);
    let port = ("server.port", r#""intValue":"8080""#);
    let old = ("http.target", r#""stringValue":"/old""#);
    let spans = traces("s", &[&attributes(&[health]), &attributes(&[health, query]), &attributes(&[health, old])]);
    assert_eq!(holds("{ attributes: { http.target: /health } }", &spans), [true, false, false]);
    assert_eq!(holds("{ attributes: { http.target: '/health?full=1' } }", &spans), [false, true, false]);
    assert_eq!(holds("{ attributes: { http.target: { glob: /health* } } }", &spans), [true, true, false]);
    assert_eq!(holds("{ attributes: { http.target: /old } }", &spans), [false, false, true]);
    let spans = traces("s", &[&attributes(&[shop]), &attributes(&[shop, port]), &attributes(&[port])]);
    assert_eq!(holds("{ attributes: { http.host: shop } }", &spans), [true, true, false]);
    assert_eq!(holds("{ attributes: { http.host: 'shop:8080' } }", &spans), [false, true, false]);
    assert_eq!(holds("{ attributes: { http.host: { exists: false } } }", &spans), [false, false, true]);
}

#[test]
fn an_old_name_that_became_two_is_found_under_both_and_under_itself() {
    let port = |name: &str| attribute(name, r#""intValue":"5432""#);
    let spans = ["net.peer.port", "client.port", "server.port", "net.host.port"].map(port);
    let spans = traces("s", &spans.each_ref().map(String::as_str));
    assert_eq!(holds("{ attributes: { net.peer.port: 5432 } }", &spans), [true, true, true, false]);
}

#[test]
fn a_renamed_metric_is_known_by_both_names() {
    let metric = |name: &str| format!(r#"{{"name":"{name}","gauge":{{"dataPoints":[{{"asInt":"1"}}]}}}}"#);
    let (old, new) = ("http.server.duration", "http.server.request.duration");
    let metrics = [old, new, "http.server.active_requests"].map(metric).join(",");
    let batch =
        batch(Signal::Metrics, &format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{metrics}]}}]}}]}}"#));
    for name in [old, new] {
        assert_eq!(holds(&format!("{{ name: {name} }}"), &batch), [true, true, false]);
        assert_eq!(holds(&format!("{{ name: {{ not: {name} }} }}"), &batch), [false, false, true]);
    }
}

#[test]
fn a_number_in_a_rule_keeps_the_form_in_which_it_was_written() {
    let holds = |when: &str, value: &str| {
        holds(&format!("{{ attributes: {{ x: {when} }} }}"), &traces("s", &[&attribute("x", value)]))[0]
    };
    for (when, value, expected) in [
        ("1.10", r#""stringValue":"1.10""#, true),
        ("1.10", r#""stringValue":"1.1""#, false),
        ("1.10", r#""doubleValue":1.1"#, true),
        ("[2.0, 3.0]", r#""stringValue":"2.0""#, true),
        ("[2.0, 3.0]", r#""intValue":"2""#, true),
        ("0123", r#""stringValue":"0123""#, true),
        ("0123", r#""stringValue":"123""#, false),
        ("{ not: 1.10 }", r#""stringValue":"1.10""#, false),
        ("{ glob: 1.10 }", r#""stringValue":"1.10""#, true),
        ("0x1f", r#""intValue":"31""#, true),
        ("9007199254740993", r#""intValue":"9007199254740992""#, false),
        ("{ at_least: 2 }", r#""arrayValue":{"values":[{"intValue":"1"},{"intValue":"3"}]}"#, true),
        ("{ at_least: 4 }", r#""arrayValue":{"values":[{"intValue":"1"},{"intValue":"3"}]}"#, false),
    ] {
        assert_eq!(holds(when, value), expected, "{when} on {value}");
    }
}

#[test]
fn a_number_from_a_variable_compares_as_a_number() {
    let yaml = format!(
        "{EXPORTERS}routes: [{{ name: r, when: {{ attributes: {{ x: \"${{CODE}}\" }} }}, to: [console/a] }}]\ndefault: []"
    );
    let environment = |name: &str| (name == "CODE").then(|| "500".to_owned());
    let (_, router) = Config::parse("gateway.yaml", yaml, &environment).unwrap_or_else(|problems| panic!("{problems}"));
    for value in [r#""intValue":"500""#, r#""stringValue":"500""#] {
        let (routing, _) = router.route(&traces("s", &[&attribute("x", value)]));
        assert_eq!(routing.weights(), [(0, 1)], "{value}");
    }
}

#[test]
fn the_new_name_counts_where_both_are_there() {
    let both = r#""attributes":[{"key":"http.status_code","value":{"intValue":"200"}},
        {"key":"http.response.status_code","value":{"intValue":"500"}}]"#;
    assert_eq!(holds("{ attributes: { http.status_code: 500 } }", &traces("shop", &[both])), [true]);
}

#[test]
fn a_severity_is_a_range_of_numbers_or_the_name_of_one() {
    let logs = |record: &str| {
        let text = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{record}]}}]}}]}}"#);
        batch(Signal::Logs, &text)
    };
    let error2 = logs(r#"{"severityNumber":18}"#);
    let warn = logs(r#"{"severityNumber":13}"#);
    let text_only = logs(r#"{"severityText":"CRITICAL"}"#);
    let unset = logs("{}");
    for (when, expected) in [
        ("{ severity: error }", [true, false, false, false]),
        ("{ severity: { at_least: error } }", [true, false, true, false]),
        ("{ severity: { below: error } }", [false, true, false, false]),
        ("{ severity: [warn, fatal] }", [false, true, true, false]),
        ("{ severity: { at_least: 18 } }", [true, false, true, false]),
        ("{ severity: { not: error } }", [false, true, true, true]),
        ("{ severity: { at_least: info, not: error } }", [false, true, true, false]),
        ("{ severity: { above: error } }", [false, false, true, false]),
        ("{ severity: { at_most: error } }", [true, true, false, false]),
        ("{ severity: [fatal, 18] }", [true, false, true, false]),
    ] {
        let found = [&error2, &warn, &text_only, &unset].map(|batch| holds(when, batch)[0]);
        assert_eq!(found, expected, "{when}");
    }
}

#[test]
fn an_exception_log_record_is_known_by_its_event_name_or_its_attributes() {
    let record =
        r#"{"eventName":"exception"},{"attributes":[{"key":"exception.type","value":{"stringValue":"E"}}]},{}"#;
    let logs = batch(Signal::Logs, &format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{record}]}}]}}]}}"#));
    assert_eq!(holds("{ exception: true }", &logs), [true, true, false]);
    assert_eq!(holds("{ exception: false }", &logs), [false, false, true]);
}

#[test]
fn a_metric_is_counted_by_its_points_and_goes_with_all_of_them() {
    let point = |path: &str| {
        format!(r#"{{"asInt":"1","attributes":[{{"key":"url.path","value":{{"stringValue":"{path}"}}}}]}}"#)
    };
    let metric = |name: &str, points: &[String]| {
        format!(r#"{{"name":"{name}","gauge":{{"dataPoints":[{}]}}}}"#, points.join(","))
    };
    let metrics = [
        metric("mixed", &[point("/health"), point("/cart")]),
        metric("health", &[point("/health"), point("/health")]),
        metric("empty", &[]),
    ];
    let text = format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{}]}}]}}]}}"#, metrics.join(","));
    let batch = batch(Signal::Metrics, &text);
    assert_eq!((batch.items, batch.weight), (3, 4));
    assert_eq!(holds("{ attributes: { url.path: /health } }", &batch), [false, true, false]);
    assert_eq!(holds("{ kind: gauge, name: { glob: 'h*' } }", &batch), [false, true, false]);
    assert_eq!(holds("{ exception: true }", &batch), [false, false, false]);
    assert_eq!(holds("{ exception: false }", &batch), [true, true, true]);
    let (routing, _) = router("routes: []\ndefault: [console/a]").route(&batch);
    assert_eq!(routing.weights(), [(0, 4)]);
}

#[test]
fn groups_of_one_batch_are_judged_by_their_own_resource() {
    let group = |service: &str| {
        format!(
            r#"{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{service}"}}}}]}},
            "scopeSpans":[{{"spans":[{{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"0000000000000001"}}]}}]}}"#
        )
    };
    let text = format!(r#"{{"resourceSpans":[{},{},{}]}}"#, group("shop"), group("stock"), group("shop"));
    let rules = "routes: [{ name: r, when: { service: shop }, to: [console/a] }]\ndefault: [console/b]";
    assert_eq!(route(rules, &batch(Signal::Traces, &text)), ["a", "b", "a"]);
}

#[test]
fn explain_says_for_each_rule_what_decided() {
    let spans = traces("shop", &[r#""name":"GET /cart","kind":2"#]);
    let router = router(
        "
routes:
  - { name: health, when: { attributes: { url.path: /health } }, to: [] }
  - { name: servers, when: { kind: server, service: shop }, to: [console/a], continue: true }
  - { name: not mine, when: { service: { not: shop } }, to: [console/b] }
default: [console/c]",
    );
    let (explained, to) = router.explain(&spans).remove(0);
    let said: Vec<_> = explained.iter().map(|one| (one.route.as_str(), one.matched, one.because.as_str())).collect();
    assert_eq!(
        said,
        [
            ("health", false, "attribute `url.path` is `/health`: does not hold"),
            ("servers", true, "service is `shop`: holds; kind is `server`: holds"),
            ("not mine", false, "service not: is `shop`: does not hold"),
            ("default", true, "no route before it was final"),
        ]
    );
    assert_eq!(to.iter().collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn everything_wrong_with_the_rules_is_said_at_once() {
    let found = problems(
        "
routes:
  - { name: one, when: { status: eror }, to: [console/a] }
  - { name: one, when: { name: { regex: '(' } }, to: [consle/b] }
  - { name: all, to: [console/a] }
  - { name: never, when: { duration: { above: fast } }, to: [console/a] }
default: [console/d]",
    );
    let expected = [
        "`eror` is no status; did you mean `error`?",
        "route `one` is defined twice",
        "`(` is no regular expression: unclosed group",
        "exporter `consle/b` is not defined",
        "route `never` can never match: `all` takes everything",
        "`fast` is no duration; whole numbers with their units",
        "exporter `console/d` is not defined",
    ];
    for part in expected {
        assert!(found.iter().any(|line| line.contains(part)), "{part}: {found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn a_route_that_cannot_match_is_a_problem() {
    let said = |first: &str, second: &str| {
        let yaml = format!(
            "{EXPORTERS}routes:\n  - {{ name: one, {first}, to: [] }}\n  - {{ name: two, {second}, to: [] }}\ndefault: []"
        );
        let problems = Config::parse("f", yaml, &|_| None).err();
        problems.map(|problems| problems.lines().collect::<Vec<_>>().join("\n")).unwrap_or_default()
    };
    let narrow = "when: { status: error, service: [shop, stock], attributes: { a: 1, b: { glob: x* } } }";
    for wide in [
        "when: {}",
        "when: { all: [] }",
        "when: { any: [ {}, { status: ok } ] }",
        "when: { not: { any: [ { not: {} } ] } }",
        "when: { signal: [logs, traces, metrics] }",
        narrow,
        "when: { status: error }",
        "when: { status: [ok, error] }",
        "when: { service: [stock, shop, cart], attributes: { b: { glob: x* } } }",
        "when: { all: [ { status: error }, { attributes: { a: [1, 2] } } ] }",
        "when: { any: [ { status: ok }, { status: error } ] }",
    ] {
        let said = said(wide, narrow);
        assert!(said.contains(":4:13: routes[1].name: route `two` can never match: `one` takes"), "{wide}: {said}");
    }
    for other in [
        "when: { status: ok }",
        "when: { status: error, name: x }",
        "when: { status: error, exception: true }",
        "when: { attributes: { a: 2 } }",
        "when: { resource: { a: 1 } }",
        "when: { service: shop }",
        "when: { not: { status: ok } }",
        "when: { signal: [logs, traces] }",
        "when: {}, continue: true",
        "when: { status: error }, continue: true",
    ] {
        assert_eq!(said(other, narrow), "", "{other}");
    }
    assert!(
        said("when: { not: { status: ok } }", "when: { not: { status: [ok, unset] } }").contains("can never match")
    );
    assert_eq!(said("when: { not: { status: [ok, unset] } }", "when: { not: { status: ok } }"), "");
    for never in ["when: { any: [] }", "when: { not: {} }", "when: { all: [ {}, { not: { all: [] } } ] }"] {
        let said = said(never, "when: { status: ok }");
        assert!(said.contains(":3:13: routes[0].name: route `one` can never match; its `when`"), "{never}: {said}");
    }
}

#[test]
fn a_condition_that_says_nothing_is_a_problem() {
    for (when, expected) in [
        ("{ status: [] }", "1:45: routes[0].when.status: an empty list matches nothing"),
        ("{ attributes: { x: { any_of: [] } } }", "routes[0].when.attributes.x.any_of: an empty list matches nothing"),
        ("{ status: {} }", "no operator: this says nothing"),
        ("{ attributes: { x: { at_least: .nan } } }", "`at_least` takes a number, not `.nan`"),
        ("{ severity: 30 }", "severity 30 is not between 1 and 24; or one of trace, debug"),
        ("{ kind: sever }", "`sever` is no kind; did you mean `server`?"),
        ("{ signal: spans }", "`spans` is no signal; one of traces, metrics, logs"),
        ("{ name: { regex: '*' } }", "for `*` and `?` as in file names there is `glob`"),
    ] {
        let yaml =
            format!("routes: [{{ name: r, to: [], when: {when} }}]\ndefault: []\nexporters: {{ console: {{}} }}");
        let problems = Config::parse("f", yaml, &|_| None).expect_err(when);
        let lines: Vec<String> = problems.lines().collect();
        assert!(lines.len() == 1 && lines[0].contains(expected), "{when}: {lines:?}");
    }
}

#[test]
fn a_route_cannot_be_called_what_no_route_has_taken() {
    for name in ["default", "''"] {
        let found = problems(&format!("routes: [{{ name: {name}, when: {{ status: ok }}, to: [] }}]\ndefault: []"));
        assert!(found.len() == 1 && found[0].contains("a route cannot have the name"), "{found:?}");
    }
}

#[test]
fn unmatched_items_need_a_default() {
    let found = problems("routes: []");
    assert!(found.iter().any(|line| line.contains("default")), "{found:?}");
}
