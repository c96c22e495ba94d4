//! Where it happened: environment, revision, server, platform, language and framework, from the resource and the scope.

use std::borrow::Cow;

use super::bag::Bag;
use super::dialect::Dialect;
use super::node::{Map, Node, cut_chars};
use super::plain;
use crate::exporter::rollbar::config::Config;
use crate::exporter::rollbar::scrub::Scrubber;
use crate::otlp::{Key, Scope, Value};

/// Rollbar's bound on short texts.
pub const SHORT_CHARS_MAX: usize = 255;
/// Rollbar's bound on `code_version`.
const REVISION_CHARS_MAX: usize = 40;
/// What stands in where neither the resource nor the configuration names an environment.
const NO_ENVIRONMENT: &str = "unspecified";

/// Resource attributes that go to `custom.resource`: those that tell one deployment from another.
const RESOURCE_PREFIXES: [&str; 12] = [
    "service.",
    "telemetry.sdk.",
    "telemetry.distro.",
    "process.runtime.",
    "os.",
    "host.arch",
    "container.",
    "k8s.",
    "cloud.",
    "faas.",
    "deployment.",
    "aws.",
];

/// Ends of scope names that say nothing by themselves, and what else stands around the name of a framework.
const SCOPE_MARKS: [&str; 8] = [
    "instrumentation.",
    "Instrumentation.",
    "instrumentation-",
    "Instrumentation::",
    "Microsoft.",
    "io.opentelemetry.contrib.php.",
    "io.opentelemetry.",
    "/otel",
];

/// What `data` says of the place.
pub struct Place<'a> {
    pub environment: Cow<'a, str>,
    pub code_version: Option<Cow<'a, str>>,
    pub server: Map<'a>,
    pub resource: Map<'a>,
    pub service_name: &'a str,
    pub sdk_language: &'a str,
    pub runtime_version: Option<&'a str>,
    pub os: Option<&'a str>,
    pub session_id: Option<&'a str>,
}

impl<'a> Place<'a> {
    pub fn new(config: &'a Config, scrubber: &Scrubber, bag: &Bag<'a>) -> Self {
        let service_name = bag.find_text(Key::ServiceName).unwrap_or_default();
        let environment = bag
            .find_text(Key::DeploymentEnvironmentName)
            .or(config.environment.as_deref())
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .unwrap_or(NO_ENVIRONMENT);
        let code_version = config
            .code_version
            .iter()
            .find_map(|name| bag.get(name))
            .map(plain::text)
            // A revision that is cut matches no deploy; it is still in `custom.resource`.
            .filter(|version| !version.is_empty() && version.chars().count() <= REVISION_CHARS_MAX);
        let known = |name: &str| RESOURCE_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        Place {
            environment: short(scrubber, environment),
            server: server(config, scrubber, bag, service_name, code_version.clone()),
            code_version: code_version.map(|version| scrubber.cow(version)),
            resource: plain::object(scrubber, bag.iter().filter(|(name, _)| known(name))),
            service_name,
            sdk_language: bag.find_text(Key::TelemetrySdkLanguage).unwrap_or_default(),
            runtime_version: bag.find_text(Key::ProcessRuntimeVersion),
            os: bag.find_text(Key::OsType),
            session_id: bag.find_text(Key::SessionId),
        }
    }

    /// `data.language`: what decides how Rollbar shows a stack.
    pub fn language(&self, dialect: Dialect) -> Cow<'a, str> {
        let name = match self.sdk_language {
            "" => dialect.language(),
            "nodejs" | "webjs" => "javascript",
            "dotnet" => "c#",
            "erlang" => "elixir",
            "python" => {
                return match self.runtime_version {
                    Some(version) => cut_chars(format!("python {version}"), SHORT_CHARS_MAX),
                    None => Cow::Borrowed("python"),
                };
            }
            other => return cut_chars(other, SHORT_CHARS_MAX),
        };
        Cow::Borrowed(name)
    }

    /// `data.platform`. Never a client's: those need a token of another kind.
    pub fn platform(&self) -> Cow<'a, str> {
        match self.os {
            Some(os) if !["browser", "android", "ios", "flash", "client"].contains(&os) => {
                cut_chars(os, SHORT_CHARS_MAX)
            }
            _ => Cow::Borrowed("linux"),
        }
    }

    /// `data.framework`: from the first scope that is an instrumentation.
    pub fn framework(&self, scopes: &[Scope<'a>]) -> Option<Cow<'a, str>> {
        match self.sdk_language {
            "nodejs" => Some(Cow::Borrowed("node-js")),
            "webjs" => Some(Cow::Borrowed("browser-js")),
            _ => scopes.iter().find_map(|scope| framework_of(scope.name)),
        }
    }
}

/// The framework that an instrumentation is named after: `io.opentelemetry.spring-webmvc-6.0` is `spring-webmvc`.
fn framework_of(scope: &str) -> Option<Cow<'_, str>> {
    let (at, mark) = SCOPE_MARKS.iter().find_map(|mark| scope.rfind(mark).map(|at| (at, mark)))?;
    let rest = &scope[at + mark.len()..];
    let name = rest.rsplit(['/', ':']).next().unwrap_or(rest);
    let name = name.strip_prefix("otel").unwrap_or(name);
    // The version that the instrumentation supports.
    let name = match name.rsplit_once('-') {
        Some((name, version)) if version.starts_with(|first: char| first.is_ascii_digit()) => name,
        _ => name,
    };
    (!name.is_empty()).then(|| cut_chars(name.to_ascii_lowercase(), SHORT_CHARS_MAX))
}

fn server<'a>(
    config: &'a Config,
    scrubber: &Scrubber,
    bag: &Bag<'a>,
    service_name: &str,
    code_version: Option<Cow<'a, str>>,
) -> Map<'a> {
    let mut server = Map::default();
    let container = bag.find_text(Key::ContainerId).map(|id| cut_chars(id, 12));
    let host = bag
        .find_text(Key::HostName)
        .or_else(|| bag.find_text(Key::K8sPodName))
        .or_else(|| bag.find_text(Key::ServiceInstanceId))
        .map(Cow::Borrowed)
        .or(container);
    if let Some(host) = host {
        server.put("host", Node::Text(cut_chars(scrubber.cow(host), SHORT_CHARS_MAX)));
    }
    let root = config.server_root.get(service_name).or(config.root.as_ref()).map(String::as_str);
    let root = root.or_else(|| bag.text("process.working_directory")).map(|root| root.trim_end_matches(['/', '\\']));
    if let Some(root) = root.filter(|root| !root.is_empty()) {
        server.put("root", Node::Text(cut_chars(scrubber.text(root), 1024)));
    }
    let is_branch = bag.text("vcs.ref.head.type").is_none_or(|kind| kind == "branch");
    let branch = bag.text("vcs.ref.head.name").filter(|_| is_branch).or_else(|| bag.text("vcs.repository.ref.name"));
    if let Some(branch) = branch {
        server.put("branch", short_node(scrubber, branch));
    }
    if let Some(version) = code_version {
        server.put("code_version", Node::Text(scrubber.cow(version)));
    }
    if let Some(pid) = bag.find(Key::ProcessPid).and_then(Value::as_int) {
        server.put("pid", Node::Int(pid));
    }
    if config.capture_argv
        && let Some(Value::Array(arguments)) = bag.get("process.command_args")
    {
        let arguments = arguments.iter().take(plain::ENTRIES_MAX).map(|value| plain::bare(scrubber, value, 0));
        server.put("argv", Node::List(arguments.collect()));
    }
    server
}

/// A short text of Rollbar's: scrubbed, without control characters, at most 255 characters.
pub fn short<'a>(scrubber: &Scrubber, text: &'a str) -> Cow<'a, str> {
    let text = cut_chars(scrubber.text(text), SHORT_CHARS_MAX);
    if text.chars().any(char::is_control) {
        return Cow::Owned(
            text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect(),
        );
    }
    text
}

pub fn short_node<'a>(scrubber: &Scrubber, text: &'a str) -> Node<'a> {
    Node::Text(short(scrubber, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_framework_is_what_its_instrumentation_is_named_after() {
        let cases = [
            ("opentelemetry.instrumentation.flask", Some("flask")),
            ("@opentelemetry/instrumentation-express", Some("express")),
            ("io.opentelemetry.spring-webmvc-6.0", Some("spring-webmvc")),
            ("go.opentelemetry.io/contrib/instrumentation/github.com/gin-gonic/gin/otelgin", Some("gin")),
            ("OpenTelemetry::Instrumentation::Rails", Some("rails")),
            ("io.opentelemetry.contrib.php.laravel", Some("laravel")),
            ("OpenTelemetry.Instrumentation.AspNetCore", Some("aspnetcore")),
            ("Microsoft.AspNetCore", Some("aspnetcore")),
            ("shop", None),
        ];
        for (scope, expected) in cases {
            assert_eq!(framework_of(scope).as_deref(), expected, "{scope}");
        }
    }
}
