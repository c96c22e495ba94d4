"""What an X-Ray document of a span must say, field by field.

The document's form: https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html. The mapping from a
span follows the OpenTelemetry collector's awsxray exporter, so that a service map stays whole when users change over,
and mends what that exporter loses.
"""

import json
import pathlib
import re

import jsonschema
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

import otlp

NAME = re.compile(r"^[\w\s_.:/%&#=+\-@]{1,200}$")  # \w: letters and numbers of every script
ANNOTATION_KEY = re.compile(r"^[a-zA-Z0-9_.]{1,500}$")
HEX_16 = re.compile(r"^[0-9a-f]{16}$")
TRACE_ID = re.compile(r"^1-[0-9a-f]{8}-[0-9a-f]{24}$")
DOCUMENT_BYTES_MAX = 64_000
ANNOTATIONS_MAX = 50

MEMBERS = {
    "name", "id", "trace_id", "start_time", "end_time", "in_progress", "parent_id", "http", "aws", "error", "throttle", "fault",
    "cause", "annotations", "metadata", "subsegments", "links",
}
SEGMENT_MEMBERS = MEMBERS | {"service", "user", "origin", "resource_arn"}
SUBSEGMENT_MEMBERS = MEMBERS | {"type", "namespace", "precursor_ids", "traced", "sql"}

# Attributes that the `http` member stands for; every other one must still be found in metadata or annotations.
CONSUMED = {
    "http.method", "http.url", "http.status_code", "http.scheme", "http.host", "http.target", "http.user_agent", "http.server_name",
    "net.host.name", "net.host.port", "net.peer.ip", "net.peer.port", "net.peer.name", "user_agent.original",
}

SCHEMA = pathlib.Path(__file__).resolve().parents[3] / "shared/data/xray/xray-segmentdocument-schema-v1.0.0.json"


def trace_id(span) -> str:
    """A W3C trace id in X-Ray's form: 1, then 8 and 24 hex digits."""
    digits = span.trace_id.hex()
    return f"1-{digits[:8]}-{digits[8:]}"


def is_segment(span) -> bool:
    """Servers and consumers are segments, and so is whatever has no parent."""
    return span.kind in (Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CONSUMER) or not span.parent_span_id


def check(raw: str, item: otlp.Item) -> None:
    """Asserts that the document is the span's, in every member."""
    document, span = json.loads(raw), item.record
    assert len(raw.encode()) <= DOCUMENT_BYTES_MAX
    check_form(document)

    assert document["trace_id"] == trace_id(span)
    assert document["id"] == span.span_id.hex()
    assert document.get("parent_id") == (span.parent_span_id.hex() or None)
    assert document.get("type") == (None if is_segment(span) else "subsegment")
    assert document["name"] == expected_name(item)
    # A float of today's epoch resolves a quarter of a microsecond.
    assert abs(document["start_time"] - span.start_time_unix_nano / 1e9) < 1e-6
    assert abs(document["end_time"] - span.end_time_unix_nano / 1e9) < 1e-6
    assert document.get("namespace") == ("remote" if span.kind == Span.SPAN_KIND_CLIENT else None)
    assert "origin" not in document, "the app runs on no AWS platform"
    check_http(document, item)
    check_marks(document, item)
    check_cause(document, item)
    check_resource(document, item)
    check_metadata(document, item)


def check_form(document: dict) -> None:
    """The rules that hold for a document whatever it is about."""
    known = SUBSEGMENT_MEMBERS if document.get("type") == "subsegment" else SEGMENT_MEMBERS | {"namespace"}
    assert set(document) <= known, f"unknown members: {set(document) - known}"
    assert NAME.match(document["name"]), document["name"]
    assert TRACE_ID.match(document["trace_id"]) and HEX_16.match(document["id"])
    assert isinstance(document["start_time"], (int, float)) and document["end_time"] >= document["start_time"]
    assert "in_progress" not in document
    annotations = document.get("annotations", {})
    assert len(annotations) <= ANNOTATIONS_MAX
    for key, content in annotations.items():
        assert ANNOTATION_KEY.match(key) and isinstance(content, (str, int, float, bool)), (key, content)
    assert all(isinstance(namespace, dict) for namespace in document.get("metadata", {}).values())
    assert None not in nested_values({key: content for key, content in document.items() if key != "metadata"}), "a member is null"
    if SCHEMA.is_file():
        schema = json.loads(SCHEMA.read_text().replace("a-zA-Z0-9_]{1,500}", "a-zA-Z0-9_.]{1,500}"))
        jsonschema.Draft4Validator(schema).validate(document)


def nested_values(content):
    """Every leaf below a JSON value."""
    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, list):
        return [leaf for entry in content for leaf in nested_values(entry)]
    return [content]


def expected_name(item: otlp.Item) -> str:
    """The service for a segment, the host called for a client, the span's own name for local work."""
    if is_segment(item.record):
        return item.resource_attributes()["service.name"]
    if item.record.kind == Span.SPAN_KIND_CLIENT:
        return re.match(r"https?://([^/:]+)", item.attributes()["http.url"])[1]
    return item.record.name


def check_http(document: dict, item: otlp.Item) -> None:
    attributes = item.attributes()
    if "http.method" not in attributes:
        assert "http" not in document
        return
    request, response = document["http"]["request"], document["http"]["response"]
    assert request["method"] == attributes["http.method"]
    assert response["status"] == attributes["http.status_code"] and isinstance(response["status"], int)
    assert "content_length" not in response, "no length is known"
    if item.record.kind == Span.SPAN_KIND_SERVER:
        assert request["url"] == f"{attributes['http.scheme']}://{attributes['http.host']}{attributes['http.target']}"
        assert request["user_agent"] == attributes["http.user_agent"]
        assert request["client_ip"] == attributes["net.peer.ip"]
        assert not request.get("x_forwarded_for", False)
    else:
        assert request["url"] == attributes["http.url"]


def check_marks(document: dict, item: otlp.Item) -> None:
    status = item.attributes().get("http.status_code", 0)
    server_side = 500 <= status < 600 or (not 400 <= status < 500 and item.record.status.code == Status.STATUS_CODE_ERROR)
    assert bool(document.get("error", False)) == (400 <= status < 500)
    assert bool(document.get("throttle", False)) == (status == 429)
    assert bool(document.get("fault", False)) == server_side


def check_cause(document: dict, item: otlp.Item) -> None:
    events = [otlp.attributes(event) for event in item.record.events if event.name == "exception"]
    if not events:
        assert "cause" not in document
        return
    exceptions = document["cause"]["exceptions"]
    assert len({exception["id"] for exception in exceptions}) == len(exceptions)
    for exception in exceptions:
        assert HEX_16.match(exception["id"])
        assert isinstance(exception["type"], str) and isinstance(exception["message"], str)
        for frame in exception["stack"]:
            assert isinstance(frame["path"], str) and isinstance(frame["line"], int) and isinstance(frame["label"], str), frame
    surfaced = exceptions[0]
    assert surfaced["type"].split(".")[-1] == events[0]["exception.type"].split(".")[-1]
    assert surfaced["message"] == events[0]["exception.message"]
    assert not surfaced.get("remote", False)


def check_resource(document: dict, item: otlp.Item) -> None:
    resource = item.resource_attributes()
    if not is_segment(item.record):
        return
    sdk = document["aws"]["xray"]
    assert sdk["sdk"] == f"{resource['telemetry.sdk.name']} for {resource['telemetry.sdk.language']}"
    assert sdk["sdk_version"] == resource["telemetry.sdk.version"]
    assert not sdk.get("auto_instrumentation", False)
    assert document["service"]["version"] == resource["service.version"]


def check_metadata(document: dict, item: otlp.Item) -> None:
    """Nothing of a span is lost: what has no member of its own stands in metadata, or is an annotation."""
    metadata, annotations = document.get("metadata", {}), document.get("annotations", {})
    kept = {**metadata.get("default", {}), **annotations}
    for key, content in item.attributes().items():
        assert key in CONSUMED or kept.get(key) == content, f"attribute {key} is neither in metadata nor in annotations"
    if is_segment(item.record):
        assert kept["otel.resource.service.instance.id"] == item.resource_attributes()["service.instance.id"]
    others = [event.name for event in item.record.events if event.name != "exception"]
    # An exception's event may be noted too, for what the cause has no member for.
    assert [name for name in noted_events(metadata) if name != "exception"] == others


def noted_events(content) -> list[str]:
    """The names of the span events in a document's metadata: lists of `{name, time, attributes}`, wherever they stand."""
    if isinstance(content, dict):
        return [name for entry in content.values() for name in noted_events(entry)]
    if isinstance(content, list):
        return [entry["name"] for entry in content if isinstance(entry, dict) and "name" in entry]
    return []
