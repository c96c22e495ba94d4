"""The typical user's application: a small Flask shop that reports to the gateway.

It knows nothing of Honeycomb, X-Ray or Rollbar. OpenTelemetry's own variables say where telemetry goes:

    OTEL_SERVICE_NAME=shop                                  # the service's name everywhere
    OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318       # the gateway; either of its ports serves either protocol
    OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf               # or grpc
    OTEL_EXPORTER_OTLP_COMPRESSION=gzip                     # optional

Run it (Python 3.10 or later):

    python3 -m venv .venv && .venv/bin/pip install -r requirements.txt
    OTEL_SERVICE_NAME=shop OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 .venv/bin/python app.py
    curl localhost:8000/            # a greeting
    curl localhost:8000/slow        # 300 ms, most of it in a span of its own
    curl localhost:8000/stock/tea   # answered with the help of a second service, over HTTP
    curl localhost:8000/refund      # logs an error and answers all the same
    curl localhost:8000/error       # fails with a chained exception: 500
    curl localhost:8000/health      # the health check that the shipped rules send nowhere
"""

import logging
import os
import signal
import sys
import time

import requests
from flask import Flask
from opentelemetry import metrics, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.logging import LoggingInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

logger = logging.getLogger("shop")
tracer = trace.get_tracer("shop")


class StockError(Exception):
    """The stock of an article could not be read."""


def set_up_telemetry() -> None:
    """Sends traces, logs and metrics by OTLP; every setting comes from the environment."""
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (
            OTLPMetricExporter,
        )
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
            OTLPSpanExporter,
        )
    elif protocol == "http/protobuf":
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import (
            OTLPMetricExporter,
        )
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
            OTLPSpanExporter,
        )
    else:
        raise SystemExit(f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}: this app speaks grpc and http/protobuf")

    tracer_provider = TracerProvider()
    tracer_provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(tracer_provider)

    logger_provider = LoggerProvider()
    logger_provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    set_logger_provider(logger_provider)
    LoggingInstrumentor().instrument()

    metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())]))
    RequestsInstrumentor().instrument()


def create_app() -> Flask:
    """Builds the web application; telemetry must be set up before."""
    app = Flask("shop")
    FlaskInstrumentor().instrument_app(app)
    greetings = metrics.get_meter("shop").create_counter("shop.greetings", unit="{greeting}", description="Visitors greeted")

    @app.get("/")
    def index():
        greetings.add(1, {"shop.language": "en"})
        return {"message": "Welcome to the tea shop"}

    @app.get("/health")
    def health():
        return {"status": "ok"}

    @app.get("/slow")
    def slow():
        with tracer.start_as_current_span("wait for the kettle") as span:
            span.set_attribute("kettle.litres", 1.5)
            time.sleep(0.3)
            span.add_event("water boils", {"celsius": 100})
        return {"message": "Here is your tea"}

    @app.get("/stock/<article>")
    def stock(article):
        answer = requests.get(f"{warehouse_url()}/warehouse/{article}", timeout=5)
        answer.raise_for_status()
        return {"article": article, "in_stock": answer.json()["count"]}

    @app.get("/warehouse/<article>")
    def warehouse(article):
        # The second service. Here the shop asks itself; WAREHOUSE_URL points it at another instance.
        return {"article": article, "count": len(article)}

    @app.get("/refund")
    def refund():
        logger.error("refund of order %s needs a person", 4711, extra={"order.id": 4711})
        return {"message": "Somebody will look into it"}

    @app.get("/error")
    def error():
        try:
            return {"tea": {}["tea"]}
        except KeyError as cause:
            raise StockError("no stock record for tea") from cause

    return app


def warehouse_url() -> str:
    """Where the second service answers."""
    return os.environ.get("WAREHOUSE_URL", f"http://127.0.0.1:{port()}")


def port() -> int:
    """The port that the shop itself listens on."""
    return int(os.environ.get("PORT", "8000"))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    # `docker stop` sends SIGTERM: an orderly exit sends what the SDK still holds.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    set_up_telemetry()
    # Threads, because /stock asks this same process while its own request is still open.
    create_app().run(host=os.environ.get("HOST", "127.0.0.1"), port=port(), threaded=True)
