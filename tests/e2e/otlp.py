"""OTLP as the official protobuf package reads it, cut into single items that can be counted and compared.

An item is one span, log record or metric data point together with its resource, scope and (for a point) its metric.
Two items are the same if their deterministic encodings are: every id, attribute, event, time and order within.
"""

import pathlib
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2

REQUESTS = {
    "traces": trace_service_pb2.ExportTraceServiceRequest,
    "logs": logs_service_pb2.ExportLogsServiceRequest,
    "metrics": metrics_service_pb2.ExportMetricsServiceRequest,
}
RESPONSES = {
    "traces": trace_service_pb2.ExportTraceServiceResponse,
    "logs": logs_service_pb2.ExportLogsServiceResponse,
    "metrics": metrics_service_pb2.ExportMetricsServiceResponse,
}
GRPC_METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}


class Item(NamedTuple):
    """One span, log record or data point; `metric` is the point's metric without its points."""

    signal: str
    resource: object
    scope: object
    metric: object
    record: object

    def key(self) -> tuple:
        """What makes two items the same one."""
        parts = (self.resource, self.scope, self.metric, self.record)
        return (self.signal, *(part and part.SerializeToString(deterministic=True) for part in parts))

    def attributes(self) -> dict:
        return attributes(self.record)

    def resource_attributes(self) -> dict:
        return attributes(self.resource)

    def __str__(self) -> str:
        return f"{self.signal} item of scope {self.scope.name!r}: {self.metric or ''}\n{self.record}"


def items(signal: str, request) -> Iterator[Item]:
    """Cuts one request into its items."""
    outer = {"traces": "resource_spans", "logs": "resource_logs", "metrics": "resource_metrics"}[signal]
    inner = {"traces": ("scope_spans", "spans"), "logs": ("scope_logs", "log_records"), "metrics": ("scope_metrics", "metrics")}[signal]
    for of_resource in getattr(request, outer):
        for of_scope in getattr(of_resource, inner[0]):
            for record in getattr(of_scope, inner[1]):
                if signal != "metrics":
                    yield Item(signal, of_resource.resource, of_scope.scope, None, record)
                    continue
                kind = record.WhichOneof("data")
                metric = metrics_pb2.Metric()
                metric.CopyFrom(record)
                del getattr(metric, kind).data_points[:]
                for point in getattr(record, kind).data_points:
                    yield Item(signal, of_resource.resource, of_scope.scope, metric, point)


def recorded(directory: pathlib.Path) -> list[Item]:
    """Reads what recorded_app.py wrote."""
    found = []
    for signal, request_class in REQUESTS.items():
        file = directory / f"{signal}.bin"
        rest = file.read_bytes() if file.exists() else b""
        while rest:
            length = int.from_bytes(rest[:4], "big")
            found.extend(items(signal, request_class.FromString(rest[4 : 4 + length])))
            rest = rest[4 + length :]
    return found


def assert_same_items(delivered: list[Item], expected: list[Item]) -> None:
    """Holds two lists of items against each other, each item exactly as often as expected; order does not matter."""
    left, right = Counter(item.key() for item in delivered), Counter(item.key() for item in expected)
    names = {item.key(): str(item) for item in [*delivered, *expected]}
    missing = [f"{count} missing: {names[key]}" for key, count in (right - left).items()]
    surplus = [f"{count} too many: {names[key]}" for key, count in (left - right).items()]
    assert not missing and not surplus, "\n".join([f"{len(delivered)} delivered, {len(expected)} expected", *missing[:5], *surplus[:5]])


def value(any_value):
    """An AnyValue as the Python value nearest to it; an empty one is None."""
    kind = any_value.WhichOneof("value")
    if kind == "array_value":
        return [value(entry) for entry in any_value.array_value.values]
    if kind == "kvlist_value":
        return {entry.key: value(entry.value) for entry in any_value.kvlist_value.values}
    return getattr(any_value, kind) if kind else None


def attributes(message) -> dict:
    """The attributes of a resource, span, event, log record or point."""
    return {entry.key: value(entry.value) for entry in message.attributes}
