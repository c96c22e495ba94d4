"""The stand-ins themselves: they take what the vendors take, from the SDK and from Rollbar's own clients, and nothing else.

These tests need no gateway. A stand-in that took everything would make every other test here worthless.
"""

import copy
import gzip
import http.client
import json
import pathlib
import urllib.parse

import pytest
import samples
import zstandard
from honeycomb import Honeycomb
from rollbar import Rollbar, payload_problems
from standin import Answer

import otlp
from gateway import ACCESS_TOKEN, API_KEY, App

PAYLOAD_SAMPLES = pathlib.Path(__file__).resolve().parents[3] / "shared/data/rollbar/payload-samples"

SPANS = samples.request(samples.span("one"), samples.span("two")).SerializeToString()
HONEYCOMB_HEADERS = {"Content-Type": "application/x-protobuf", "x-honeycomb-team": API_KEY, "User-Agent": "telemetry-gateway/0.1.0"}
ROLLBAR_HEADERS = {"Content-Type": "application/json", "X-Rollbar-Access-Token": ACCESS_TOKEN}

ITEM = {
    "data": {
        "environment": "staging",
        "level": "error",
        "timestamp": 1795342342,
        "uuid": "2b7f1a58-8f4f-5a0c-9d0a-0d6b1d7b2f10",
        "language": "python",
        "context": "/error",
        "body": {
            "trace_chain": [
                {
                    "exception": {"class": "StockError", "message": "none"},
                    "frames": [{"filename": "/srv/app.py", "lineno": 7, "method": "error"}],
                },
                {"exception": {"class": "KeyError"}, "frames": []},
            ]
        },
        "request": {"method": "GET", "url": "http://localhost/error", "headers": {"User-Agent": "test"}},
        "attributes": [{"key": "trace_id", "value": "0af7651916cd43dd8448eb211c80319c"}],
    }
}


@pytest.fixture
def honeycomb():
    stand_in = Honeycomb(API_KEY)
    yield stand_in
    stand_in.stop()


@pytest.fixture
def rollbar():
    stand_in = Rollbar(ACCESS_TOKEN)
    yield stand_in
    stand_in.stop()


def post(url: str, path: str, body: bytes, headers: dict) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=10)
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_the_app_can_report_to_honeycomb_directly(honeycomb, tmp_path, compression):
    app = App(
        tmp_path,
        honeycomb.url,
        "http/protobuf",
        OTEL_EXPORTER_OTLP_HEADERS=f"x-honeycomb-team={API_KEY}",
        OTEL_EXPORTER_OTLP_COMPRESSION=compression,
    )
    assert [app.visit(path) for path in ("/", "/stock/tea", "/refund", "/error")] == [200, 200, 200, 500]
    app.flush()
    app.stop()
    recorded = otlp.recorded(app.records)
    assert {item.signal for item in recorded} == {"traces", "logs", "metrics"}
    assert honeycomb.violations == []
    otlp.assert_same_items(honeycomb.items, recorded)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (None, SPANS),
        ("gzip", gzip.compress(SPANS)),
        ("gzip", gzip.compress(SPANS) + gzip.compress(SPANS)),
        ("zstd", zstandard.compress(SPANS)),
    ],
)
def test_honeycomb_takes_each_encoding(honeycomb, encoding, body):
    headers = HONEYCOMB_HEADERS if encoding is None else {**HONEYCOMB_HEADERS, "Content-Encoding": encoding}
    assert post(honeycomb.url, "/v1/traces", body, headers) == (200, b"")
    assert [item.record.name for item in honeycomb.items][:2] == ["one", "two"]


@pytest.mark.parametrize(
    ("status", "path", "body", "headers"),
    [
        (415, "/v1/traces", SPANS, {"Content-Type": "application/x-protobuf; charset=utf-8"}),
        (415, "/v1/traces", SPANS, {"Content-Type": "application/json"}),
        (415, "/v1/traces", SPANS, {"Content-Encoding": "deflate"}),
        (400, "/v1/traces", SPANS, {"Content-Encoding": "gzip"}),
        (400, "/v1/traces", zstandard.compress(SPANS)[:-4], {"Content-Encoding": "zstd"}),
        (401, "/v1/traces", SPANS, {"x-honeycomb-team": API_KEY + "x"}),
        (400, "/v1/traces", SPANS, {"x-honeycomb-dataset": "shop"}),
        (400, "/v1/traces", SPANS, {"Authorization": "AWS4-HMAC-SHA256"}),
        (404, "/v1/traces/", SPANS, {}),
        (400, "/v1/traces", SPANS[:-5], {}),
        (400, "/v1/traces", b"", {}),
        (400, "/v1/traces", samples.request(samples.span("broken", trace_id=b"only 15 bytes!!")).SerializeToString(), {}),
    ],
)
def test_honeycomb_refuses_what_is_improper(honeycomb, status, path, body, headers):
    assert post(honeycomb.url, path, body, {**HONEYCOMB_HEADERS, **headers})[0] == status
    assert len(honeycomb.violations) == 1 and honeycomb.items == []


def test_a_planned_failure_keeps_nothing(honeycomb):
    honeycomb.plan(Answer(503, b"", {"Retry-After": "1"}))
    assert post(honeycomb.url, "/v1/traces", SPANS, HONEYCOMB_HEADERS)[0] == 503
    assert honeycomb.items == [] and len(honeycomb.troubled) == 1
    assert post(honeycomb.url, "/v1/traces", SPANS, HONEYCOMB_HEADERS)[0] == 200
    assert len(honeycomb.items) == 2 and honeycomb.violations == []


def test_rollbar_takes_an_item_and_counts_a_repeated_uuid_once(rollbar):
    for body, headers in [(json.dumps(ITEM).encode(), {}), (gzip.compress(json.dumps(ITEM).encode()), {"Content-Encoding": "gzip"})]:
        status, answer = post(rollbar.url, "/api/1/item/", body, {**ROLLBAR_HEADERS, **headers})
        assert (status, json.loads(answer)) == (200, {"err": 0, "result": {"id": None, "uuid": ITEM["data"]["uuid"]}})
    assert len(rollbar.items) == 2 and len(rollbar.occurrences()) == 1


@pytest.mark.parametrize("sample", sorted(PAYLOAD_SAMPLES.glob("captured/*.json")) or [None], ids=lambda sample: sample and sample.stem)
def test_rollbar_takes_what_its_own_clients_send(rollbar, sample):
    if sample is None:
        pytest.skip("no payload samples beside this checkout")
    captured = json.loads(sample.read_text())
    payload = captured if "data" in captured else captured["body"]
    payload.pop("access_token", None)  # the old place of the token
    status, answer = post(rollbar.url, "/api/1/item/", json.dumps(payload).encode(), ROLLBAR_HEADERS)
    assert status == 200, answer


@pytest.mark.parametrize(
    ("status", "path", "headers"),
    [
        (404, "/api/1/item", {}),
        (400, "/api/1/item/", {"Content-Type": "application/x-www-form-urlencoded"}),
        (403, "/api/1/item/", {"X-Rollbar-Access-Token": "another"}),
        (400, "/api/1/item/", {"x-honeycomb-team": API_KEY}),
    ],
)
def test_rollbar_refuses_an_improper_request(rollbar, status, path, headers):
    found, answer = post(rollbar.url, path, json.dumps(ITEM).encode(), {**ROLLBAR_HEADERS, **headers})
    assert (found, json.loads(answer)["err"]) == (status, 1)
    assert len(rollbar.violations) == 1 and rollbar.items == []


def broken(change) -> dict:
    payload = copy.deepcopy(ITEM)
    change(payload["data"])
    return payload


@pytest.mark.parametrize(
    ("named", "payload"),
    [
        ("environment", broken(lambda data: data.pop("environment"))),
        ("environment", broken(lambda data: data.update(environment=""))),
        ("level", broken(lambda data: data.update(level="fatal"))),
        ("context", broken(lambda data: data.update(context=None))),
        ("platform", broken(lambda data: data.update(platform="browser"))),
        ("timestamp", broken(lambda data: data.update(timestamp=1795342342000000000))),
        ("uuid", broken(lambda data: data.update(uuid="x" * 37))),
        ("code_version", broken(lambda data: data.update(code_version="x" * 41))),
        ("exactly one of", broken(lambda data: data["body"].update(message={"body": "too"}))),
        ("exactly one of", broken(lambda data: data["body"].clear())),
        ("trace_chain must be", broken(lambda data: data["body"].update(trace_chain=[]))),
        ("frames is missing", broken(lambda data: data["body"]["trace_chain"][0].pop("frames"))),
        ("class is missing", broken(lambda data: data["body"]["trace_chain"][1]["exception"].clear())),
        ("filename is missing", broken(lambda data: data["body"]["trace_chain"][0]["frames"][0].pop("filename"))),
        ("lineno", broken(lambda data: data["body"]["trace_chain"][0]["frames"][0].update(lineno="7"))),
        ("message.body", broken(lambda data: data.update(body={"message": {"text": "x"}}))),
        ("user_ip", broken(lambda data: data["request"].update(user_ip="$remote_ip"))),
        ("user information", broken(lambda data: data["request"].update(url="http://user:secret@localhost/"))),
        ("person.id", broken(lambda data: data.update(person={"email": "a@example.org"}))),
        ("data is missing", {"body": ITEM["data"]["body"]}),
    ],
)
def test_rollbar_names_what_is_wrong_with_a_payload(rollbar, named, payload):
    status, answer = post(rollbar.url, "/api/1/item/", json.dumps(payload).encode(), ROLLBAR_HEADERS)
    assert status == 422 and named in json.loads(answer)["message"], answer
    assert payload_problems(ITEM) == []


def test_rollbar_refuses_a_body_that_holds_the_token(rollbar):
    payload = broken(lambda data: data.update(custom={"header": ACCESS_TOKEN}))
    assert post(rollbar.url, "/api/1/item/", json.dumps(payload).encode(), ROLLBAR_HEADERS)[0] == 422
