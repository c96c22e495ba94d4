"""What the example app's errors do not show: levels, other languages, other shapes, scrubbing. Each row is one item."""

from typing import NamedTuple

import pytest
import refusals
import samples
from conftest import World
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from test_xray_fields import assert_holds

JAVA = """java.lang.IllegalStateException: cart is locked
\tat shop.Cart.add(Cart.java:42)
\tat shop.Main.main(Main.java:7)
Caused by: java.sql.SQLException: timeout
\tat shop.Store.query(Store.java:99)
\t... 2 more
"""
NODE = """TypeError: Cannot read properties of undefined (reading 'price')
    at total (/srv/shop/cart.js:12:20)
    at main (/srv/shop/index.js:3:1)
"""


class Row(NamedTuple):
    language: str
    request: object
    signal: str
    item: dict


def from_log(item: dict, body: str, severity: int, language: str = "python", **attributes) -> Row:
    return Row(
        language, samples.log_request(samples.log(body, severity, **attributes), **{"telemetry.sdk.language": language}), "logs", item
    )


def from_span(item: dict, span: Span) -> Row:
    return Row("python", samples.request(span), "traces", item)


def handled(message: str) -> Span:
    """A span that recorded an exception and went on."""
    failed = samples.failed_span("work", message)
    failed.ClearField("status")
    return failed


ROWS = {
    "a fatal log record is critical": from_log({"level": "critical", "body": {"message": {"body": "out of memory"}}}, "out of memory", 21),
    "a Java chain": from_log(
        {
            "level": "error",
            "language": "java",
            "body": {
                "trace_chain": [
                    {
                        "exception": {"class": "java.lang.IllegalStateException", "message": "cart is locked"},
                        "frames": [
                            {"filename": "Main.java", "lineno": 7, "method": "main"},
                            {"filename": "Cart.java", "lineno": 42, "method": "add", "class_name": "shop.Cart"},
                        ],
                    },
                    {"exception": {"class": "java.sql.SQLException", "message": "timeout"}},
                ]
            },
        },
        "cart failed",
        17,
        "java",
        **samples.exception("java.lang.IllegalStateException", "cart is locked", JAVA),
    ),
    "a Node error": from_log(
        {
            "language": "javascript",
            "body": {
                "trace_chain": [
                    {
                        "exception": {"class": "TypeError", "message": "Cannot read properties of undefined (reading 'price')"},
                        "frames": [
                            {"filename": "/srv/shop/index.js", "lineno": 3, "method": "main"},
                            {"filename": "/srv/shop/cart.js", "lineno": 12, "method": "total"},
                        ],
                    }
                ]
            },
        },
        "failed",
        17,
        "nodejs",
        **samples.exception("TypeError", "Cannot read properties of undefined (reading 'price')", NODE),
    ),
    "a handled exception is a warning": from_span(
        {
            "level": "warning",
            "body": {
                "trace": {
                    "exception": {"class": "StockError", "message": "handled"},
                    "frames": [{"filename": "/srv/shop/stock.py", "lineno": 7, "method": "load"}],
                }
            },
        },
        handled("handled"),
    ),
    "a failed span without an exception": from_span(
        {"level": "error", "body": {"message": {}}},
        samples.span("GET /cart", status={"code": 2, "message": "upstream gave up"}),
    ),
    "the person": from_span(
        {"person": {"id": "ada"}, "request": {"method": "GET"}, "context": "/cart/<id>"},
        samples.failed_span(
            "GET /cart/<id>",
            "lost",
            attributes=samples.attributes({"user.id": "ada", "http.request.method": "GET", "http.route": "/cart/<id>"}),
        ),
    ),
}


@pytest.fixture(scope="module")
def world(binary, xray_url, tmp_path_factory):
    with World(binary, tmp_path_factory.mktemp("items"), xray_url) as made:
        for row in ROWS.values():
            refusals.post(made.gateway.ports[0], row.request, row.signal)
        made.rollbar.wait_until(lambda: len(made.rollbar.items) >= len(ROWS), "an item for every row", timeout_seconds=45)
        made.gateway.wait_settled()
        yield made


@pytest.mark.parametrize("name", ROWS)
def test_an_item_says(world, name):
    complaints = []
    for item in world.rollbar.items:
        try:
            assert_holds(item, ROWS[name].item, name)
            return
        except AssertionError as complaint:
            complaints.append(str(complaint))
    raise AssertionError("no item fits:\n" + "\n".join(complaints))


def test_every_item_has_a_uuid_of_its_own(world):
    assert len(world.rollbar.items) == len(world.rollbar.occurrences()) == len(ROWS)


def test_secrets_are_scrubbed_from_what_the_app_said(world):
    record = samples.log(
        "login failed", 17, password="hunter2-password", **{"http.request.header.authorization": ["Bearer hunter2-bearer"]}
    )
    before = len(world.rollbar.items)
    refusals.post(world.gateway.ports[0], samples.log_request(record), "logs")
    world.rollbar.wait_until(lambda: len(world.rollbar.items) > before, "the item", timeout_seconds=45)
    sent = world.rollbar.requests[-1].body.decode()
    assert "login failed" in sent and "hunter2" not in sent
