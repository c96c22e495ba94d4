"""A strict stand-in of Rollbar's item API, and the payload rules it holds every item against.

Documented shapes: https://docs.rollbar.com/reference/create-item and https://docs.rollbar.com/docs/grouping-occurrences.
Rollbar itself answers 200 to some payloads that it refuses later; this one refuses them at once.
"""

import json
import pathlib
import re
import uuid as uuids

import jsonschema
from standin import Answer, Refusal, Request, StandIn

LEVELS = ("critical", "error", "warning", "info", "debug")
CLIENT_PLATFORMS = ("browser", "android", "ios", "flash", "client")  # need another kind of token
BODY_KINDS = ("trace", "trace_chain", "message", "crash_report")
TELEMETRY_TYPES = ("log", "network", "dom", "navigation", "error", "manual", "connectivity")
BODY_BYTES_MAX = 512 * 1024

# Known keys of `data` that are plain strings, with the longest that Rollbar stores whole.
STRINGS_MAX = {
    "environment": 255, "context": 255, "title": 255, "platform": 255, "language": 255, "framework": 255,
    "code_version": 40, "uuid": 36, "fingerprint": 40,
}

SCHEMA = pathlib.Path(__file__).resolve().parents[3] / "shared/data/rollbar/schema/rollbar-item.schema.json"


class Rollbar(StandIn):
    """Takes items for one post_server_item token; the payloads' `data` objects are kept in order of arrival."""

    def __init__(self, access_token: str):
        super().__init__()
        self.access_token = access_token
        self.items: list[dict] = []

    def answer(self, request: Request) -> Answer:
        if request.path != "/api/1/item/":
            raise Refusal(404, f"unknown path {request.path}")
        if request.method != "POST":
            raise Refusal(405, f"method {request.method}")
        token = request.headers.get("x-rollbar-access-token")
        if token is None:
            raise Refusal(401, "no access token")
        if token != self.access_token:
            raise Refusal(403, "wrong access token")
        if request.headers.get("content-type") != "application/json":
            raise Refusal(400, f"content-type {request.headers.get('content-type')!r}")
        for name in ("x-honeycomb-team", "authorization", "x-amz-date"):
            if name in request.headers:
                raise Refusal(400, f"header {name} has no business here")
        if len(request.body) > BODY_BYTES_MAX:
            raise Refusal(413, f"{len(request.body)} bytes")
        try:
            payload = json.loads(request.body)
        except ValueError as error:
            raise Refusal(400, f"not JSON: {error}") from error
        problems = payload_problems(payload)
        if problems:
            raise Refusal(422, f"Invalid format. {problems[0]}")
        if self.access_token in request.body.decode():
            raise Refusal(422, "Invalid format. the token stands in the body")
        result = {"err": 0, "result": {"id": None, "uuid": payload["data"].get("uuid", uuids.uuid4().hex)}}
        return Answer(200, json.dumps(result).encode(), {"Content-Type": "application/json"})

    def refusal(self, refusal: Refusal) -> Answer:
        return self.failure(refusal.status, refusal.reason)

    @staticmethod
    def failure(status: int, message: str) -> Answer:
        """The API's form of a refusal."""
        return Answer(status, json.dumps({"err": 1, "message": message}).encode(), {"Content-Type": "application/json"})

    def taken(self, request: Request) -> None:
        self.items.append(json.loads(request.body)["data"])

    def occurrences(self) -> list[dict]:
        """The items as Rollbar would show them: of several with one uuid only the first counts."""
        return list({item["uuid"]: item for item in reversed(self.items)}.values())


def payload_problems(payload) -> list[str]:
    """Everything that is wrong with an item's payload; the first entry is what the API would name."""
    problems: list[str] = []

    def need(holds: bool, problem: str) -> bool:
        if not holds:
            problems.append(problem)
        return holds

    if not need(isinstance(payload, dict) and isinstance(payload.get("data"), dict), "data is missing and it is required"):
        return problems
    data = payload["data"]

    need(isinstance(data.get("environment"), str) and data["environment"].strip() != "", "data.environment is missing and it is required")
    for key, length in STRINGS_MAX.items():
        if key in data:
            need(isinstance(data[key], str) and 0 < len(data[key]) <= length, f"data.{key} must be a string of 1 to {length} characters")
    need(data.get("level", "error") in LEVELS, f"data.level {data.get('level')!r}")
    need(data.get("platform") not in CLIENT_PLATFORMS, "data.platform needs a post_client_item token")
    if "timestamp" in data:
        need(isinstance(data["timestamp"], (int, float)) and 1e9 < data["timestamp"] < 1e11, "data.timestamp is not in Unix seconds")
    for key in ("request", "person", "server", "client", "custom", "notifier"):
        if key in data and not (key == "custom" and data[key] == []):
            need(isinstance(data[key], dict), f"data.{key} must be an object")
    problems.extend(_request_problems(data.get("request")))
    person = data.get("person")
    if isinstance(person, dict) and person:
        need(isinstance(person.get("id"), (str, int)) and 0 < len(str(person["id"])) <= 40, "data.person.id is missing or longer than 40")
    for attribute in data.get("attributes", []):
        need(isinstance(attribute, dict) and {"key", "value"} <= attribute.keys(), "data.attributes entries need key and value")
    problems.extend(_body_problems(data.get("body")))

    if not problems and SCHEMA.is_file():
        schema = json.loads(SCHEMA.read_text())
        problems.extend(f"{error.json_path}: {error.message}" for error in jsonschema.Draft202012Validator(schema).iter_errors(payload))
    return problems


def _request_problems(request) -> list[str]:
    if not isinstance(request, dict):
        return []
    problems = [f"data.request.{key} must be a string" for key in ("url", "method", "query_string", "user_ip") if not isinstance(request.get(key, ""), str)]
    problems += [f"data.request.{key} must be an object" for key in ("headers", "params", "GET") if not isinstance(request.get(key, {}), (dict, list))]
    if request.get("user_ip", "").startswith("$remote_ip"):
        problems.append("data.request.user_ip would store the gateway's own address")
    if re.match(r"[a-z]+://[^/]*@", request.get("url", "") if isinstance(request.get("url"), str) else ""):
        problems.append("data.request.url holds user information")
    return problems


def _body_problems(body) -> list[str]:
    if not isinstance(body, dict):
        return ["data.body is missing and it is required"]
    kinds = [kind for kind in BODY_KINDS if kind in body]
    if len(kinds) != 1:
        return [f"data.body must have exactly one of {BODY_KINDS}, it has {kinds}"]
    problems = []
    for entry in body.get("telemetry", []):
        if not (isinstance(entry, dict) and entry.get("level") in LEVELS and entry.get("type") in TELEMETRY_TYPES and isinstance(entry.get("body"), dict)):
            problems.append("data.body.telemetry has a malformed entry")
    content = body[kinds[0]]
    if kinds[0] == "trace":
        return problems + _trace_problems(content, "data.body.trace")
    if kinds[0] == "trace_chain":
        if not isinstance(content, list) or not content:
            return [*problems, "data.body.trace_chain must be a list with at least one entry"]
        return problems + [problem for at, trace in enumerate(content) for problem in _trace_problems(trace, f"data.body.trace_chain[{at}]")]
    key = {"message": "body", "crash_report": "raw"}[kinds[0]]
    if not (isinstance(content, dict) and isinstance(content.get(key), str)):
        problems.append(f"data.body.{kinds[0]}.{key} is missing and it is required")
    return problems


def _trace_problems(trace, path: str) -> list[str]:
    if not isinstance(trace, dict):
        return [f"{path} must be an object"]
    exception, frames = trace.get("exception"), trace.get("frames")
    problems = []
    if not isinstance(frames, list):
        problems.append(f"{path}.frames is missing and it is required")
    if not (isinstance(exception, dict) and isinstance(exception.get("class"), str)):
        problems.append(f"{path}.exception.class is missing and it is required")
    elif not isinstance(exception.get("message"), (str, type(None))):
        problems.append(f"{path}.exception.message must be a string")
    for at, frame in enumerate(frames if isinstance(frames, list) else []):
        if not (isinstance(frame, dict) and isinstance(frame.get("filename"), str)):
            problems.append(f"{path}.frames[{at}].filename is missing and it is required")
            continue
        for key, kind in (("lineno", int), ("colno", int), ("method", str), ("code", str)):
            if not isinstance(frame.get(key), (kind, type(None))) or isinstance(frame.get(key), bool):
                problems.append(f"{path}.frames[{at}].{key} is not {kind.__name__}")
    return problems
