"""Vendors in trouble: what is acknowledged arrives once, or is counted under a reason; nobody else notices."""

import refusals
import samples
import xray
from rollbar import Rollbar
from standin import Answer

import otlp

UNAVAILABLE = Answer(503, b"upstream connect error", {"Content-Type": "text/plain", "Retry-After": "1"})


def test_honeycomb_unavailable_twice_delays_and_loses_nothing(world):
    world.honeycomb.plan(UNAVAILABLE, UNAVAILABLE)
    request = samples.request(*(samples.span(f"span {at}") for at in range(50)))
    refusals.post(world.gateway.ports[0], request, compressed=True)

    world.honeycomb.wait_until(lambda: world.honeycomb.of("traces"), "spans after the trouble")
    settled = world.gateway.wait_settled()
    expected = list(otlp.items("traces", request))
    otlp.assert_same_items(world.honeycomb.items, expected)
    assert len(world.honeycomb.troubled) == 2
    first, second = world.honeycomb.troubled
    last = world.honeycomb.requests[0]
    assert 1.0 <= second.time - first.time < 4 and 1.0 <= last.time - second.time < 4, "Retry-After: 1 was not heeded"
    assert (settled["honeycomb"].accepted, settled["honeycomb"].delivered) == (50, 50)
    assert settled["xray"].delivered == 50
    assert len(world.documents(xray.trace_id(item.record) for item in expected)) == 50


def test_honeycombs_trouble_is_its_own(world):
    # No end of trouble is planned while the others are looked at.
    world.honeycomb.plan(*[UNAVAILABLE] * 20)
    request = samples.request(samples.failed_span("GET /fails", "no stock"))
    refusals.post(world.gateway.ports[0], request)

    world.rollbar.wait_until(lambda: world.rollbar.items, "an item", timeout_seconds=45)
    ledgers = world.gateway.wait_until(lambda found: found["xray"].delivered == 1, "the document is delivered")
    assert (ledgers["honeycomb"].delivered, ledgers["honeycomb"].waiting) == (0, 1)
    assert "503" in str(world.gateway.wait_until(lambda found: found["honeycomb"].last_error, "an error is named")["honeycomb"].last_error)

    world.honeycomb.planned.clear()
    world.honeycomb.wait_until(lambda: world.honeycomb.items, "the span after the trouble")
    world.gateway.wait_settled()
    otlp.assert_same_items(world.honeycomb.items, list(otlp.items("traces", request)))


def test_a_retried_item_has_the_same_uuid(world):
    world.rollbar.plan(Answer(503, b"", {}))
    refusals.post(world.gateway.ports[0], samples.request(samples.failed_span("GET /fails", "no stock")))

    world.rollbar.wait_until(lambda: world.rollbar.items, "an item", timeout_seconds=45)
    [first], [second] = world.rollbar.troubled, world.rollbar.requests
    assert first.body == second.body and '"uuid"' in first.body.decode()
    settled = world.gateway.wait_settled()
    assert (settled["rollbar"].accepted, settled["rollbar"].delivered) == (1, 1)


def test_the_same_failure_sent_twice_is_one_occurrence(world):
    # A client that saw no answer sends again: https://opentelemetry.io/docs/specs/otlp/#duplicate-data
    request = samples.request(samples.failed_span("GET /fails", "no stock"))
    for port in world.gateway.ports:
        refusals.post(port, request)
    world.rollbar.wait_until(lambda: world.rollbar.items, "an item", timeout_seconds=45)
    world.gateway.wait_settled()
    assert len(world.rollbar.occurrences()) == 1


def test_an_item_that_rollbar_refuses_is_counted_and_named(world):
    world.rollbar.plan(Rollbar.failure(422, "Invalid format. data.body.trace.frames is missing and it is required."))
    refusals.post(world.gateway.ports[0], samples.request(samples.failed_span("GET /fails", "no stock")))

    world.rollbar.wait_until(lambda: world.rollbar.troubled, "a refused item", timeout_seconds=45)
    settled = world.gateway.wait_until(lambda found: found["rollbar"].dropped, "the drop is counted")
    assert (settled["rollbar"].accepted, settled["rollbar"].delivered) == (1, 0)
    assert sum(settled["rollbar"].dropped.values()) == 1 and settled["rollbar"].settled()
    assert "422" in str(settled["rollbar"].last_error) and "frames is missing" in str(settled["rollbar"].last_error)
    assert not settled["honeycomb"].dropped and not settled["xray"].dropped
    assert [request.body for request in world.rollbar.requests].count(world.rollbar.troubled[0].body) == 0, "sent again as it was"


def test_what_waits_is_delivered_before_the_end(world):
    request = samples.request(*(samples.span(f"span {at}") for at in range(200)))
    refusals.post(world.gateway.ports[0], request)
    world.stop()
    expected = list(otlp.items("traces", request))
    otlp.assert_same_items(world.honeycomb.items, expected)
    assert len(world.documents(xray.trace_id(item.record) for item in expected)) == 200
