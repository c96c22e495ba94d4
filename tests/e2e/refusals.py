"""Requests that a receiver must refuse, each with the answer it owes: an HTTP status and a google.rpc.Status.

OTLP's own rules: https://opentelemetry.io/docs/specs/otlp/#failures and #failures-1. A refused request leaves no trace
in any exporter's account.
"""

import gzip
import http.client
import json
from typing import NamedTuple

import grpc
import samples
from google.protobuf import json_format
from google.rpc import code_pb2, error_details_pb2, status_pb2

import otlp

DETAILS = error_details_pb2.DESCRIPTOR  # keeps the types of a Status's details known to the JSON parser
PROTOBUF = "application/x-protobuf"
BODY_BYTES_MAX = 64 * 1024 * 1024  # the receiver's limit, before and after inflating
GOOD = samples.request(samples.span("never delivered")).SerializeToString()


class BadRequest(NamedTuple):
    """A request and the answer it must get; `answered_as` is the content type of the answer's Status."""

    name: str
    status: int
    body: bytes = GOOD
    path: str = "/v1/traces"
    method: str = "POST"
    headers: dict = {"Content-Type": PROTOBUF}
    answered_as: str = PROTOBUF
    code: int | None = code_pb2.INVALID_ARGUMENT
    declared_bytes: int | None = None  # Content-Length, where it is not the body's


HTTP = [
    BadRequest("protobuf cut in the middle", 400, GOOD[:-7]),
    BadRequest("random bytes", 400, bytes(range(255, 0, -1)) * 4),
    BadRequest("JSON sent as protobuf", 400, b'{"resourceSpans":[]}'),
    BadRequest("gzip cut in the middle", 400, gzip.compress(GOOD)[:-9], headers={"Content-Type": PROTOBUF, "Content-Encoding": "gzip"}),
    BadRequest("gzip that is none", 400, GOOD, headers={"Content-Type": PROTOBUF, "Content-Encoding": "gzip"}),
    BadRequest("unknown encoding", 415, headers={"Content-Type": PROTOBUF, "Content-Encoding": "compress"}, code=None),
    BadRequest("text/plain", 415, headers={"Content-Type": "text/plain"}, answered_as="application/json", code=None),
    BadRequest("no content type", 415, headers={}, answered_as="application/json", code=None),
    BadRequest(
        "JSON cut in the middle", 400, b'{"resourceSpans":[', headers={"Content-Type": "application/json"}, answered_as="application/json"
    ),
    BadRequest("empty JSON body", 400, b"", headers={"Content-Type": "application/json"}, answered_as="application/json"),
    BadRequest("declared too large", 413, b"", declared_bytes=BODY_BYTES_MAX + 1, code=None),
    BadRequest(
        "inflated too large",
        413,
        gzip.compress(bytes(BODY_BYTES_MAX + 1)),
        headers={"Content-Type": PROTOBUF, "Content-Encoding": "gzip"},
        code=None,
    ),
    BadRequest("unknown path", 404, path="/v1/nothing", code=None),
    BadRequest("doubled path", 404, path="/v1/traces/v1/traces", code=None),
    BadRequest("GET", 405, b"", method="GET", code=None, answered_as=""),
]


def send(port: int, bad: BadRequest) -> tuple[int, dict, bytes]:
    """Sends one of them: status, headers (names in lower case), body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest(bad.method, bad.path)
    for name, content in bad.headers.items():
        connection.putheader(name, content)
    connection.putheader("Content-Length", str(len(bad.body) if bad.declared_bytes is None else bad.declared_bytes))
    connection.endheaders(bad.body)
    try:
        answer = connection.getresponse()
        return answer.status, {name.lower(): content for name, content in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def check(port: int, bad: BadRequest) -> None:
    """Sends one and holds the answer against what it owes."""
    status, headers, body = send(port, bad)
    assert status == bad.status, f"{bad.name}: {status} {body!r}"
    content_type = headers.get("content-type", "").split(";")[0]
    assert not bad.answered_as or content_type == bad.answered_as, f"{bad.name}: {content_type}"
    if content_type == PROTOBUF:
        refusal = status_pb2.Status.FromString(body)
    else:
        refusal = json_format.ParseDict(json.loads(body), status_pb2.Status(), ignore_unknown_fields=False)
    assert refusal.message, f"{bad.name}: a Status without a message"
    assert bad.code is None or refusal.code == bad.code, f"{bad.name}: {refusal}"
    if status == 405:
        assert "POST" in headers["allow"], bad.name
    if bad.name == "unknown encoding":
        assert "gzip" in headers["accept-encoding"]


def check_grpc(port: int) -> None:
    """The same over gRPC, where the status is a code of the call."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        cut = call(channel, otlp.GRPC_METHODS["traces"], GOOD[:-7])
        assert cut.code() == grpc.StatusCode.INVALID_ARGUMENT and cut.details(), cut
        nothing = call(channel, "/opentelemetry.proto.collector.trace.v1.TraceService/Nothing", GOOD)
        assert nothing.code() == grpc.StatusCode.UNIMPLEMENTED, nothing
        large = call(channel, otlp.GRPC_METHODS["traces"], bytes(BODY_BYTES_MAX + 1))
        assert large.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, large


def call(channel: grpc.Channel, method: str, message: bytes):
    """Makes a unary call that must fail; the error is the answer."""
    try:
        answer = channel.unary_unary(method)(message, timeout=20)
    except grpc.RpcError as error:
        return error
    raise AssertionError(f"{method} took what it must refuse: {answer!r}")


def post(port: int, request, signal: str = "traces", compressed: bool = False):
    """Sends good OTLP over HTTP; the decoded response."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    body, headers = request.SerializeToString(), {"Content-Type": PROTOBUF}
    if compressed:
        body, headers = gzip.compress(body), {**headers, "Content-Encoding": "gzip"}
    connection.request("POST", f"/v1/{signal}", body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    assert (answer.status, answer.headers["Content-Type"]) == (200, PROTOBUF), (answer.status, content)
    return otlp.RESPONSES[signal].FromString(content)


def post_grpc(port: int, request):
    """Sends good OTLP over gRPC; the decoded response."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        return otlp.RESPONSES["traces"].FromString(
            channel.unary_unary(otlp.GRPC_METHODS["traces"])(request.SerializeToString(), timeout=20)
        )
