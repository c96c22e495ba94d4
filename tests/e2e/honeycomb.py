"""A strict stand-in of Honeycomb's OTLP/HTTP entrance.

Content types and headers: https://docs.honeycomb.io/send-data/opentelemetry/ and the reading code of
https://github.com/honeycombio/husky (otlp/common.go): the content type is compared as a whole, parameters are refused.
"""

from google.protobuf.message import DecodeError
from google.rpc import code_pb2, status_pb2
from standin import Answer, Refusal, Request, StandIn

import otlp

PATHS = {"/v1/traces": "traces", "/v1/logs": "logs", "/v1/metrics": "metrics"}

# What only the client's connection to the gateway may carry, or what belongs to another vendor.
FOREIGN_HEADERS = ("authorization", "x-rollbar-access-token", "x-amz-date", "grpc-encoding", "te", "cookie")


class Honeycomb(StandIn):
    """Takes OTLP of all three signals for one environments-and-services key, and keeps the items."""

    def __init__(self, api_key: str):
        super().__init__()
        self.api_key = api_key
        self.items: list[otlp.Item] = []

    def answer(self, request: Request) -> Answer:
        if request.path not in PATHS:
            raise Refusal(404, f"unknown path {request.path}")
        if request.method != "POST":
            raise Refusal(405, f"method {request.method}")
        if request.headers.get("content-type") != "application/x-protobuf":
            raise Refusal(415, f"content-type {request.headers.get('content-type')!r}")
        if request.headers.get("x-honeycomb-team") != self.api_key:
            raise Refusal(401, "x-honeycomb-team is not the key")
        if not request.headers.get("user-agent"):
            raise Refusal(400, "no user-agent")
        dataset = request.headers.get("x-honeycomb-dataset")
        signal = PATHS[request.path]
        if signal == "traces" and dataset is not None:
            raise Refusal(400, "x-honeycomb-dataset on traces, which an environment's key ignores")
        if dataset is not None and not dataset.strip():
            raise Refusal(400, "x-honeycomb-dataset is empty")
        for name in FOREIGN_HEADERS:
            if name in request.headers:
                raise Refusal(400, f"header {name} has no business here")
        found = read(signal, request.body)
        if not found:
            raise Refusal(400, "a request without a single item")
        for item in found:
            check_ids(item)
        return Answer(200, b"", {"Content-Type": "application/x-protobuf"})

    def refusal(self, refusal: Refusal) -> Answer:
        code = {401: code_pb2.UNAUTHENTICATED, 404: code_pb2.NOT_FOUND}.get(refusal.status, code_pb2.INVALID_ARGUMENT)
        body = status_pb2.Status(code=code, message=refusal.reason).SerializeToString()
        return Answer(refusal.status, body, {"Content-Type": "application/x-protobuf"})

    def taken(self, request: Request) -> None:
        self.items.extend(read(PATHS[request.path], request.body))

    def of(self, signal: str) -> list[otlp.Item]:
        """The items of one signal that arrived so far."""
        return [item for item in self.items if item.signal == signal]


def read(signal: str, body: bytes) -> list[otlp.Item]:
    try:
        return list(otlp.items(signal, otlp.REQUESTS[signal].FromString(body)))
    except DecodeError as error:
        raise Refusal(400, f"not OTLP {signal}: {error}") from error


def check_ids(item: otlp.Item) -> None:
    """A span needs both ids; a log record may have none, but no broken ones."""
    if item.signal == "metrics":
        return
    for name, length in (("trace_id", 16), ("span_id", 8)):
        identity = getattr(item.record, name)
        if item.signal == "logs" and not identity:
            continue
        if len(identity) != length or not any(identity):
            raise Refusal(400, f"{name} {identity.hex()!r}")
