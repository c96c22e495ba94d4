"""OTLP requests made by hand, where the example app would not send such a thing."""

import os
import time

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


def any_value(content) -> AnyValue:
    """A Python value as the AnyValue of its kind."""
    match content:
        case bool():
            return AnyValue(bool_value=content)
        case int():
            return AnyValue(int_value=content)
        case float():
            return AnyValue(double_value=content)
        case bytes():
            return AnyValue(bytes_value=content)
        case list():
            return AnyValue(array_value=ArrayValue(values=map(any_value, content)))
        case dict():
            return AnyValue(kvlist_value=KeyValueList(values=attributes(content)))
    return AnyValue(string_value=content)


def attributes(content: dict) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(entry)) for key, entry in content.items()]


def span(name: str, trace_id: bytes | None = None, kind: int = Span.SPAN_KIND_SERVER, **more) -> Span:
    """A span of a millisecond that ended just now, with ids of its own."""
    now = time.time_ns()
    times = {"start_time_unix_nano": now - 1_000_000, "end_time_unix_nano": now}
    return Span(trace_id=os.urandom(16) if trace_id is None else trace_id, span_id=os.urandom(8), name=name, kind=kind, **{**times, **more})


def exception(kind: str, message: str, stack: str) -> dict:
    """The attributes of a recorded exception."""
    return {"exception.type": kind, "exception.message": message, "exception.stacktrace": stack}


def failed_span(name: str, message: str, **more) -> Span:
    """A span that ended in an exception of one Python frame."""
    stack = f'Traceback (most recent call last):\n  File "/srv/shop/stock.py", line 7, in load\n    raise StockError()\nshop.StockError: {message}\n'
    event = Span.Event(time_unix_nano=time.time_ns(), name="exception", attributes=attributes(exception("shop.StockError", message, stack)))
    return span(name, **{"events": [event], "status": Status(code=Status.STATUS_CODE_ERROR, message=message), **more})


def log(body: str, severity: int, **content) -> LogRecord:
    """A log record of now, outside any trace."""
    now = time.time_ns()
    return LogRecord(
        time_unix_nano=now, observed_time_unix_nano=now, severity_number=severity, body=any_value(body), attributes=attributes(content)
    )


RESOURCE = {
    "service.name": "sample",
    "service.version": "1",
    "service.instance.id": "sample-1",
    "telemetry.sdk.name": "opentelemetry",
    "telemetry.sdk.language": "python",
    "telemetry.sdk.version": "1.45.1",
}


def request(*spans: Span, **resource) -> ExportTraceServiceRequest:
    """The spans as one service's request; `resource` adds to its attributes or replaces them."""
    made = ExportTraceServiceRequest()
    of_resource = made.resource_spans.add()
    _describe(of_resource, resource)
    of_scope = of_resource.scope_spans.add()
    of_scope.scope.name = "sample"
    of_scope.spans.extend(spans)
    return made


def log_request(*records: LogRecord, **resource) -> ExportLogsServiceRequest:
    """The same for log records."""
    made = ExportLogsServiceRequest()
    of_resource = made.resource_logs.add()
    _describe(of_resource, resource)
    of_scope = of_resource.scope_logs.add()
    of_scope.scope.name = "sample"
    of_scope.log_records.extend(records)
    return made


def _describe(of_resource, more: dict) -> None:
    of_resource.resource.attributes.extend(attributes({**RESOURCE, **more}))
