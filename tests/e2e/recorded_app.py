"""Runs examples/flask/app.py and records what its SDK hands to its exporters: the truth that deliveries are held against.

    recorded_app.py DIRECTORY        environment: as the app's own; PORT must be set

Each export call appends one request to DIRECTORY/{traces,logs,metrics}.bin: 4 bytes of length (big endian), then the
OTLP protobuf made by the SDK's own encoder. The exporters then send it as they always do.

It prints `ready` once it listens. On standard input, `flush` sends all that the SDK holds and answers `flushed`; the
end of input ends it in good order.
"""

import pathlib
import sys
import threading

from opentelemetry import _logs, metrics, trace
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc import _log_exporter as grpc_logs
from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc_metrics
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc_traces
from opentelemetry.exporter.otlp.proto.http import _log_exporter as http_logs
from opentelemetry.exporter.otlp.proto.http import metric_exporter as http_metrics
from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces
from werkzeug.serving import make_server

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "flask"

EXPORTERS = [
    (grpc_traces.OTLPSpanExporter, "traces", encode_spans),
    (http_traces.OTLPSpanExporter, "traces", encode_spans),
    (grpc_logs.OTLPLogExporter, "logs", encode_logs),
    (http_logs.OTLPLogExporter, "logs", encode_logs),
    (grpc_metrics.OTLPMetricExporter, "metrics", encode_metrics),
    (http_metrics.OTLPMetricExporter, "metrics", encode_metrics),
]


def record(exporter_class, file, encode) -> None:
    """Makes every export call of the class write its request down first."""
    export, lock = exporter_class.export, threading.Lock()

    def recording_export(self, batch, *args, **kwargs):
        request = encode(batch).SerializeToString()
        with lock, file.open("ab") as out:
            out.write(len(request).to_bytes(4, "big") + request)
        return export(self, batch, *args, **kwargs)

    exporter_class.export = recording_export


def main() -> None:
    directory = pathlib.Path(sys.argv[1])
    for exporter_class, signal, encode in EXPORTERS:
        record(exporter_class, directory / f"{signal}.bin", encode)

    sys.path.insert(0, str(EXAMPLE))
    import app

    app.logging.basicConfig(level=app.logging.INFO)
    app.set_up_telemetry()
    server = make_server("127.0.0.1", app.port(), app.create_app(), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)

    for line in sys.stdin:
        if line.strip() == "flush":
            for provider in (trace.get_tracer_provider(), _logs.get_logger_provider(), metrics.get_meter_provider()):
                provider.force_flush()
            print("flushed", flush=True)
    server.shutdown()


if __name__ == "__main__":
    main()
