"""The real app through the real gateway: what the SDK handed over is what each vendor got, over HTTP and over gRPC."""

import json
import pathlib
import uuid
from typing import NamedTuple

import pytest
import refusals
import samples
import xray
from conftest import World

import otlp
from gateway import App, Ledger

VISITS = [("/", 200), ("/slow", 200), ("/stock/tea", 200), ("/refund", 200), ("/error", 500), ("/health", 200), ("/", 200)]
PROTOCOLS = {
    "http": {"protocol": "http/protobuf", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"},
    "grpc": {"protocol": "grpc"},
}
APP_FILE = pathlib.Path(__file__).resolve().parents[2] / "examples/flask/app.py"


class Run(NamedTuple):
    """What is known once the app has ended and the gateway has nothing left to do."""

    world: World
    app: App
    recorded: list[otlp.Item]  # what the app's SDK exported
    by_hand: list[otlp.Item]  # the two good spans of a request whose third was broken
    settled: dict[str, Ledger]

    def routed(self) -> list[otlp.Item]:
        """What the routes let through."""
        return [*(item for item in self.recorded if not is_health_check(item)), *self.by_hand]

    def spans(self) -> list[otlp.Item]:
        return [item for item in self.routed() if item.signal == "traces"]

    def span(self, name: str) -> otlp.Item:
        [found] = [item for item in self.spans() if item.record.name == name]
        return found


def is_health_check(item: otlp.Item) -> bool:
    """What the first route takes: url.path in its new or its old name."""
    return "/health" in (item.attributes().get("url.path"), item.attributes().get("http.target"))


def line_of(code: str) -> int:
    """Where a line of the app stands in its file."""
    [line] = [at for at, text in enumerate(APP_FILE.read_text().splitlines(), start=1) if text.strip() == code]
    return line


@pytest.fixture(scope="module", params=PROTOCOLS)
def run(request, binary, xray_url, tmp_path_factory):
    """Drives the app, with bad requests beside, until all has been delivered."""
    directory = tmp_path_factory.mktemp(request.param)
    with World(binary, directory, xray_url) as world:
        # Each protocol through another listener, each the one that the protocol is not known for.
        first, second = world.gateway.ports if request.param == "http" else reversed(world.gateway.ports)
        app = App(directory, f"http://127.0.0.1:{first}", **PROTOCOLS[request.param])
        request.addfinalizer(app.process.kill)

        bad = iter(refusals.HTTP)
        for path, expected in VISITS:
            assert app.visit(path) == expected
            for _ in range(2):
                refusals.check(second, next(bad))
        for one in bad:
            refusals.check(first, one)
        refusals.check_grpc(second)

        good = [samples.span("good before"), samples.span("good after")]
        mixed = samples.request(good[0], samples.span("broken", trace_id=b"only 15 bytes!!"), good[1])
        post = refusals.post if request.param == "http" else refusals.post_grpc
        answer = post(first, mixed)
        assert answer.partial_success.rejected_spans == 1 and "trace_id" in answer.partial_success.error_message

        app.flush()
        app.stop()
        recorded, by_hand = otlp.recorded(app.records), list(otlp.items("traces", samples.request(*good)))
        world.rollbar.wait_until(lambda: len(world.rollbar.occurrences()) >= 2, "two items at Rollbar", timeout_seconds=45)
        settled = world.gateway.wait_settled()
        yield Run(world, app, recorded, by_hand, settled)


def test_the_app_exported_all_three_signals(run):
    assert {item.signal for item in run.recorded} == {"traces", "logs", "metrics"}
    assert sorted(item.record.name for item in run.recorded if item.signal == "traces") == sorted(
        ["GET /", "GET /", "GET /slow", "wait for the kettle", "GET /stock/<article>", "GET", "GET /warehouse/<article>"]
        + ["GET /refund", "GET /error", "GET /health"]
    )


@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_honeycomb_has_every_item_once_and_unchanged(run, signal):
    expected = [item for item in run.routed() if item.signal == signal]
    otlp.assert_same_items(run.world.honeycomb.of(signal), expected)


def test_honeycomb_has_every_data_point_once_and_unchanged(run):
    # A metric holds points of several routes; whether the health check's own point goes along is the router's choice.
    delivered = [item for item in run.world.honeycomb.of("metrics") if not is_health_check(item)]
    otlp.assert_same_items(delivered, [item for item in run.routed() if item.signal == "metrics"])


def test_honeycomb_requests_name_the_gateway(run):
    assert {request.path for request in run.world.honeycomb.requests} == {"/v1/traces", "/v1/logs", "/v1/metrics"}
    assert all(request.headers["user-agent"].startswith("telemetry-gateway/") for request in run.world.honeycomb.requests)


def test_xray_has_one_right_document_for_every_span(run):
    spans = {item.record.span_id.hex(): item for item in run.spans()}
    documents = run.world.documents(xray.trace_id(item.record) for item in run.spans())
    assert len(documents) == len(spans)
    for trace_id, raw in documents:
        document = json.loads(raw)
        item = spans.pop(document["id"])
        assert trace_id == xray.trace_id(item.record)
        xray.check(raw, item)
    assert not spans


def test_xray_has_no_document_of_a_health_check(run):
    health_checks = [item.record for item in run.recorded if item.signal == "traces" and is_health_check(item)]
    assert len(health_checks) == 1
    assert run.world.documents(map(xray.trace_id, health_checks)) == []


def test_xray_joins_the_call_to_the_second_service(run):
    asking, call, answering = run.span("GET /stock/<article>"), run.span("GET"), run.span("GET /warehouse/<article>")
    documents = {json.loads(raw)["id"]: json.loads(raw) for _, raw in run.world.documents([xray.trace_id(call.record)])}
    assert set(documents) == {item.record.span_id.hex() for item in (asking, call, answering)}
    subsegment, segment = documents[call.record.span_id.hex()], documents[answering.record.span_id.hex()]
    assert (subsegment["type"], subsegment["parent_id"]) == ("subsegment", asking.record.span_id.hex())
    assert segment["parent_id"] == subsegment["id"] and "type" not in segment


def test_xray_tells_the_whole_chain_of_the_error(run):
    item = run.span("GET /error")
    [(_, raw)] = run.world.documents([xray.trace_id(item.record)])
    document = json.loads(raw)
    assert document["fault"] is True
    surfaced, cause = document["cause"]["exceptions"]
    assert surfaced["type"].split(".")[-1] == "StockError" and surfaced["message"] == "no stock record for tea"
    assert (cause["type"], cause["message"]) == ("KeyError", "'tea'")
    assert surfaced["cause"] == cause["id"]
    newest = {"path": str(APP_FILE), "line": line_of('raise StockError("no stock record for tea") from cause'), "label": "error"}
    assert surfaced["stack"][0] == newest and len(surfaced["stack"]) > 3
    assert cause["stack"] == [{**newest, "line": line_of('return {"tea": {}["tea"]}')}]


def test_rollbar_has_one_item_for_the_error_and_one_for_the_logged_error(run):
    bodies = [next(iter(item["body"])) for item in run.world.rollbar.occurrences()]
    assert sorted(bodies) == ["message", "trace_chain"]


def test_rollbar_item_of_the_error_tells_the_whole_chain(run):
    item, span = occurrence(run, "trace_chain"), run.span("GET /error")
    check_common(item, span)
    surfaced, cause = item["body"]["trace_chain"]
    assert surfaced["exception"]["class"] == "StockError" and surfaced["exception"]["message"] == "no stock record for tea"
    assert cause["exception"]["class"] == "KeyError" and cause["exception"]["message"] == "'tea'"
    # Oldest call first; what recorded the exception is no part of the program.
    frames = surfaced["frames"]
    assert frames[-1]["filename"] == str(APP_FILE) and frames[-1]["method"] == "error"
    assert frames[-1]["lineno"] == line_of('raise StockError("no stock record for tea") from cause')
    assert frames[-1]["code"] == 'raise StockError("no stock record for tea") from cause'
    assert frames[0]["filename"].endswith("flask/app.py") and frames[0]["method"] == "wsgi_app"
    assert not any("/opentelemetry/" in frame["filename"] for frame in frames)
    [frame] = cause["frames"]
    assert (frame["filename"], frame["lineno"], frame["method"]) == (str(APP_FILE), line_of('return {"tea": {}["tea"]}'), "error")


def test_rollbar_item_of_the_error_tells_the_request(run):
    # The error comes twice, in the span's event and in Flask's log record, under one uuid, so that Rollbar shows it once.
    # Only the span knows the request.
    [item] = [item for item in run.world.rollbar.items if "trace_chain" in item["body"] and "request" in item]
    assert item["uuid"] == occurrence(run, "trace_chain")["uuid"]
    span = run.span("GET /error")
    assert item["request"]["method"] == "GET"
    assert item["request"]["url"] == f"http://127.0.0.1:{run.app.port}/error"
    assert item["request"]["headers"]["User-Agent"] == span.attributes()["http.user_agent"]
    assert "user_ip" not in item["request"], "a loopback address is nobody's"
    assert (item["context"], item["framework"]) == ("/error", "flask")


def test_rollbar_item_of_the_logged_error_is_its_message(run):
    item = occurrence(run, "message")
    check_common(item, run.span("GET /refund"))
    assert item["body"]["message"]["body"] == "refund of order 4711 needs a person"


def occurrence(run: Run, kind: str) -> dict:
    [item] = [item for item in run.world.rollbar.occurrences() if kind in item["body"]]
    return item


def check_common(item: dict, span: otlp.Item) -> None:
    """What every item of the app says of itself."""
    resource = span.resource_attributes()
    uuid.UUID(item["uuid"])
    assert item["level"] == "error"
    assert item["environment"] == resource["deployment.environment.name"]
    assert item["code_version"] == resource["service.version"]
    assert item["language"].split()[0] == "python" and item["platform"] == "linux"
    assert item["server"]["host"] == resource["service.instance.id"]
    assert item["notifier"]["name"] == "telemetry-gateway" and item["notifier"]["version"]
    assert span.record.start_time_unix_nano // 10**9 <= item["timestamp"] <= span.record.end_time_unix_nano // 10**9
    noted = {entry["key"]: entry["value"] for entry in item["attributes"]}
    assert (noted["trace_id"], noted["span_id"]) == (span.record.trace_id.hex(), span.record.span_id.hex())


def test_the_accounts_are_exact(run):
    honeycomb, of_xray, rollbar = (run.settled[name] for name in ("honeycomb", "xray", "rollbar"))
    assert (honeycomb.kind, of_xray.kind, rollbar.kind) == ("honeycomb", "xray", "rollbar")
    assert honeycomb.accepted == honeycomb.delivered == len(run.world.honeycomb.items)
    assert of_xray.accepted == of_xray.delivered == len(run.spans())
    # Two items of three records: the failed span, the log record of the same exception, and the logged error.
    assert rollbar.accepted == 3
    assert not honeycomb.last_error and not of_xray.last_error and not rollbar.last_error


def test_nothing_more_arrives_when_the_gateway_stops(run):
    before = len(run.world.honeycomb.items), len(run.world.rollbar.occurrences())
    run.world.stop()
    assert (len(run.world.honeycomb.items), len(run.world.rollbar.occurrences())) == before
    documents = run.world.documents(xray.trace_id(item.record) for item in run.spans())
    assert len(documents) == len(run.spans())
