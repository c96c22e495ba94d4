"""What the example app's spans do not show: each row is one span and the part of its X-Ray document that is looked at.

A value `...` means that the member must not be there. All rows travel in one request, so one bad row would spoil the
others, which is a test of its own.
"""

import json
from typing import NamedTuple

import pytest
import refusals
import samples
import xray
from conftest import World
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

SERVER, CLIENT, INTERNAL, CONSUMER = Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_INTERNAL, Span.SPAN_KIND_CONSUMER
PARENT = bytes.fromhex("53995c3f42cd8ad8")
LINKED = bytes.fromhex("4bf92f3577b34da6a3ce929d0e0e4736")
ERROR = Status(code=Status.STATUS_CODE_ERROR, message="went wrong")


class Row(NamedTuple):
    name: str
    span: Span
    document: dict


def row(
    name: str, document: dict, kind: int = SERVER, parent: bytes = b"", span_name: str = "work", attributes: dict | None = None, **more
) -> Row:
    return Row(
        name, samples.span(span_name, kind=kind, parent_span_id=parent, attributes=samples.attributes(attributes or {}), **more), document
    )


def below(name: str, document: dict, kind: int = INTERNAL, **more) -> Row:
    """A row whose span has a parent and is no server: an independent subsegment."""
    return row(name, {"type": "subsegment", "parent_id": PARENT.hex(), **document}, kind, PARENT, **more)


ROWS = [
    row(
        "429 is throttled",
        {"error": True, "throttle": True, "fault": ...},
        attributes={"http.request.method": "GET", "http.response.status_code": 429},
    ),
    row(
        "new names of http",
        {
            "name": "sample",
            "namespace": ...,
            "error": True,
            "throttle": ...,
            "fault": ...,
            "http": {
                "request": {"method": "POST", "url": "https://shop.example/cart?item=1", "user_agent": "curl/8", "client_ip": "192.0.2.7"},
                "response": {"status": 404, "content_length": 12},
            },
        },
        attributes={
            "http.request.method": "POST",
            "url.scheme": "https",
            "server.address": "shop.example",
            "server.port": 443,
            "url.path": "/cart",
            "url.query": "item=1",
            "user_agent.original": "curl/8",
            "client.address": "192.0.2.7",
            "network.peer.address": "192.0.2.7",
            "http.response.status_code": 404,
            "http.response.body.size": 12,
        },
    ),
    below("characters that a name may not have", {"name": "load cart now é 中文 x"}, span_name="load (cart) <now> é 中文 {x}"),
    below("a name is cut at 200 characters", {"name": "é" * 200}, span_name="é" * 300),
    below("a name of nothing allowed", {"name": "span"}, span_name="<?>"),
    below(
        "a database",
        {
            "name": "orders@db.internal",
            "namespace": "remote",
            "sql": {
                "database_type": "postgresql",
                "sanitized_query": "SELECT * FROM carts WHERE id = ?",
                "url": "postgresql://db.internal/orders",
            },
            "http": ...,
        },
        kind=CLIENT,
        attributes={
            "db.system.name": "postgresql",
            "db.namespace": "orders",
            "db.query.text": "SELECT * FROM carts WHERE id = ?",
            "server.address": "db.internal",
        },
    ),
    below(
        "an AWS call",
        {
            "name": "DynamoDB",
            "namespace": "aws",
            "aws": {"operation": "GetItem", "region": "eu-central-1", "table_name": "carts", "request_id": "R1"},
        },
        kind=CLIENT,
        attributes={
            "rpc.system": "aws-api",
            "rpc.service": "DynamoDB",
            "rpc.method": "GetItem",
            "aws.region": "eu-central-1",
            "aws.request_id": "R1",
            "aws.dynamodb.table_names": ["carts"],
        },
    ),
    row("a consumer is a segment", {"name": "sample", "type": ..., "namespace": ..., "parent_id": PARENT.hex()}, CONSUMER, PARENT),
    row("a local root is a segment", {"type": ..., "namespace": ..., "parent_id": ...}, INTERNAL),
    row(
        "named annotations",
        {"annotations": {"customer": "ada", "paid": True, "amount": 3.5}, "metadata": {"default": {"other": "kept"}}},
        attributes={
            "aws.xray.annotations": ["customer", "paid", "amount"],
            "customer": "ada",
            "paid": True,
            "amount": 3.5,
            "other": "kept",
        },
    ),
    row(
        "values of every kind",
        {"metadata": {"default": {"map": {"inner": [1, True, "x"]}, "bytes": "AAEC", "double": "NaN", "quoted": 'a "b" \\ \n\u0001'}}},
        attributes={"map": {"inner": [1, True, "x"]}, "bytes": b"\x00\x01\x02", "double": float("nan"), "quoted": 'a "b" \\ \n\u0001'},
    ),
    row("the user", {"user": "ada"}, attributes={"enduser.id": "ada"}),
    below(
        "gRPC NOT_FOUND is the caller's error",
        {"error": True, "fault": ..., "throttle": ...},
        CLIENT,
        attributes={"rpc.system": "grpc", "rpc.service": "shop.Stock", "rpc.grpc.status_code": 5},
        status=ERROR,
    ),
    below(
        "gRPC RESOURCE_EXHAUSTED is throttled",
        {"error": True, "throttle": True, "fault": ...},
        CLIENT,
        attributes={"rpc.system": "grpc", "rpc.service": "shop.Stock", "rpc.grpc.status_code": 8},
        status=ERROR,
    ),
    row("an error without an exception", {"fault": True, "cause": {"exceptions": [{"message": "went wrong"}]}}, status=ERROR),
    row(
        "a link",
        {"links": [{"trace_id": "1-4bf92f35-77b34da6a3ce929d0e0e4736", "id": PARENT.hex()}]},
        links=[Span.Link(trace_id=LINKED, span_id=PARENT)],
    ),
    below(
        "secrets in a URL",
        {"name": "api.example.com", "namespace": "remote"},
        CLIENT,
        attributes={"http.request.method": "GET", "url.full": "https://ada:passw0rd@api.example.com:8443/x?X-Amz-Signature=c0ffee&page=1"},
    ),
    Row(
        "a clock that went back",
        samples.span("work", start_time_unix_nano=1795342342_500000000, end_time_unix_nano=1795342342_000000000),
        {"start_time": 1795342342.5, "end_time": 1795342342.5},
    ),
    Row(
        "a client's exception came from afar",
        samples.failed_span("work", "no stock", kind=CLIENT, parent_span_id=PARENT),
        {"fault": True, "cause": {"exceptions": [{"message": "no stock", "remote": True}]}},
    ),
]


def assert_holds(found, expected, path: str) -> None:
    """Every member of `expected` is in `found`, lists entry by entry."""
    if isinstance(expected, dict):
        assert isinstance(found, dict), f"{path}: {found!r}"
        for key, content in expected.items():
            if content is ...:
                assert not found.get(key), f"{path}.{key} is {found[key]!r}"
            else:
                assert key in found, f"{path}.{key} is missing in {found}"
                assert_holds(found[key], content, f"{path}.{key}")
    elif isinstance(expected, list):
        assert isinstance(found, list) and len(found) == len(expected), f"{path}: {found!r}"
        for at, content in enumerate(expected):
            assert_holds(found[at], content, f"{path}[{at}]")
    else:
        assert found == expected and isinstance(found, bool) == isinstance(expected, bool), f"{path}: {found!r}, not {expected!r}"


@pytest.fixture(scope="module")
def documents(binary, xray_url, tmp_path_factory):
    """Every row's document by the row's name."""
    with World(binary, tmp_path_factory.mktemp("fields"), xray_url) as world:
        refusals.post(world.gateway.ports[0], samples.request(*(each.span for each in ROWS)))
        world.gateway.wait_until(lambda found: found["xray"].delivered == len(ROWS), "every document is delivered")
        by_id = {json.loads(raw)["id"]: json.loads(raw) for _, raw in world.documents(xray.trace_id(each.span) for each in ROWS)}
        yield {each.name: by_id[each.span.span_id.hex()] for each in ROWS}


@pytest.mark.parametrize("each", ROWS, ids=lambda each: each.name)
def test_the_document_says(documents, each):
    document = documents[each.name]
    xray.check_form(document)
    assert_holds(document, each.document, each.name)


def test_no_secret_of_a_url_is_stored(documents):
    text = json.dumps(documents["secrets in a URL"])
    assert "passw0rd" not in text and "c0ffee" not in text and "page=1" in text


def test_a_service_on_fargate_names_its_platform_and_loses_what_its_name_may_not_have(world):
    span = samples.span("work")
    resource = {
        "service.name": "shop*(eu)",
        "cloud.provider": "aws",
        "cloud.platform": "aws_ecs",
        "cloud.account.id": "123456789012",
        "aws.ecs.launchtype": "fargate",
        "container.id": "abc123",
        "aws.ecs.cluster.arn": "arn:aws:ecs:eu-central-1:123456789012:cluster/shop",
        "aws.log.group.names": ["/ecs/shop"],
    }
    refusals.post(world.gateway.ports[0], samples.request(span, **resource))
    world.gateway.wait_until(lambda found: found["xray"].delivered == 1, "the document is delivered")
    [(_, raw)] = world.documents([xray.trace_id(span)])
    xray.check_form(json.loads(raw))
    expected = {
        "name": "shopeu",
        "origin": "AWS::ECS::Fargate",
        "aws": {
            "account_id": "123456789012",
            "ecs": {"container_id": "abc123", "cluster_arn": resource["aws.ecs.cluster.arn"]},
            "cloudwatch_logs": [{"log_group": "/ecs/shop"}],
        },
    }
    assert_holds(json.loads(raw), expected, "document")
