"""The built gateway as a child process, and the app under test beside it."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent

API_KEY = "hcaik_" + "01hqk4k20cjeh63wca8vva5stw70nft6m5n8wr8f5mjx3762s8269j50wc"  # the form of an ingest key
ACCESS_TOKEN = "5a17c0ffee5a17c0ffee5a17c0ffee42"
AWS_SECRET = "wJalrXUtnFEMIbPxRfiCYnotAKeyAtAll0123456"
SECRETS = (API_KEY, ACCESS_TOKEN, AWS_SECRET)

# The rules of the README's example.
CONFIG = """\
receivers:
  otlp:
    listen: ["127.0.0.1:{ports[0]}", "127.0.0.1:{ports[1]}"]
exporters:
  honeycomb:
    api_key: ${{HONEYCOMB_API_KEY}}
    endpoint: {honeycomb}
  xray:
    region: ${{AWS_REGION:-us-east-1}}
    endpoint: {xray}
  rollbar:
    access_token: ${{ROLLBAR_ACCESS_TOKEN}}
    environment: production
    endpoint: {rollbar}
routes:
  - name: health checks
    when: {{ attributes: {{ url.path: /health }} }}
    to: []
  - name: errors
    when: {{ any: [ {{ status: error }}, {{ severity: {{ at_least: error }} }}, {{ exception: true }} ] }}
    to: [rollbar]
    continue: true
  - name: metrics and logs
    when: {{ signal: [metrics, logs] }}
    to: [honeycomb]
default: [honeycomb, xray]
journal:
  directory: {directory}/journal
admin:
  listen: "127.0.0.1:{ports[2]}"
"""


class Ledger(NamedTuple):
    """One exporter's account; the numbers count items: spans, log records, data points."""

    kind: str
    state: str
    accepted: int
    delivered: int
    dropped: dict
    waiting: int
    last_error: object

    def settled(self) -> bool:
        return self.waiting == 0 and self.accepted == self.delivered + sum(self.dropped.values())


def ledgers(status: dict) -> dict[str, Ledger]:
    """Reads /status. The one place that knows its shape."""
    return {name: Ledger(**{field: exporter[field] for field in Ledger._fields}) for name, exporter in status["exporters"].items()}


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def environment(**more: str) -> dict[str, str]:
    """This process's environment without what would steer an SDK, the AWS client or a proxy."""
    inherited = {
        name: text
        for name, text in os.environ.items()
        if not name.upper().startswith(("OTEL_", "AWS_")) and not name.upper().endswith("_PROXY")
    }
    return {**inherited, "AWS_EC2_METADATA_DISABLED": "true", **more}


class Gateway:
    """A running gateway; `ports` are those of its two OTLP listeners."""

    def __init__(self, binary: pathlib.Path, directory: pathlib.Path, honeycomb: str, xray: str, rollbar: str):
        self.binary, self.directory = binary, directory
        ports = free_ports(3)
        self.ports, self.admin = ports[:2], f"http://127.0.0.1:{ports[2]}"
        self.config = directory / "gateway.yaml"
        self.config.write_text(CONFIG.format(ports=ports, honeycomb=honeycomb, xray=xray, rollbar=rollbar, directory=directory))
        self.environment = environment(
            HONEYCOMB_API_KEY=API_KEY,
            ROLLBAR_ACCESS_TOKEN=ACCESS_TOKEN,
            AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE",
            AWS_SECRET_ACCESS_KEY=AWS_SECRET,
            AWS_REGION="us-east-1",
        )
        self.log = directory / "gateway.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [binary, "run", "--config", self.config], env=self.environment, cwd=directory, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            poll(self._ready, "the gateway is ready", self.describe, timeout_seconds=10)
        except BaseException:
            self.process.kill()
            raise

    def _ready(self) -> bool:
        assert self.process.poll() is None, f"the gateway ended with {self.process.returncode}:\n{self.describe()}"
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def get(self, path: str) -> tuple[int, str, str]:
        """Asks the admin port: status, content type, body."""
        try:
            with urllib.request.urlopen(self.admin + path, timeout=5) as answer:
                return answer.status, answer.headers.get("Content-Type", ""), answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.headers.get("Content-Type", ""), answer.read().decode()

    def ledgers(self) -> dict[str, Ledger]:
        return ledgers(json.loads(self.get("/status")[2]))

    def wait_until(self, holds: Callable[[dict[str, Ledger]], bool], what: str, timeout_seconds: float = 30) -> dict[str, Ledger]:
        """Waits for the ledgers to say something; /status offers no signal, hence asks again and again."""
        poll(lambda: holds(self.ledgers()), what, self.describe, timeout_seconds)
        return self.ledgers()

    def wait_settled(self) -> dict[str, Ledger]:
        """Waits until no exporter has anything left to do."""
        return self.wait_until(lambda found: all(ledger.settled() for ledger in found.values()), "every exporter has settled")

    def run_verb(self, *arguments) -> subprocess.CompletedProcess:
        """Runs the binary once more, with the gateway's own environment."""
        return subprocess.run(
            [self.binary, *arguments], env=self.environment, cwd=self.directory, capture_output=True, text=True, timeout=20
        )

    def stop(self) -> int:
        """Ends it as a container engine does; what it still holds is delivered first. Its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def describe(self) -> str:
        try:
            status = self.get("/status")[2]
        except OSError as error:
            status = f"no /status: {error}"
        return f"{status}\n--- log:\n{self.log.read_text()[-4000:]}"


class App:
    """examples/flask/app.py with its exports recorded (recorded_app.py), reporting to `endpoint`."""

    def __init__(self, directory: pathlib.Path, endpoint: str, protocol: str, **more: str):
        self.records = directory / "recorded"
        self.records.mkdir()
        [self.port] = free_ports(1)
        self.log = directory / "app.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, HERE / "recorded_app.py", self.records],
                env=environment(
                    PORT=str(self.port),
                    OTEL_SERVICE_NAME="shop",
                    OTEL_RESOURCE_ATTRIBUTES="service.version=2.4.1,deployment.environment.name=staging",
                    OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
                    OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
                    **more,
                ),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._expect("ready")

    def visit(self, path: str) -> int:
        """Asks for a page; its status."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as answer:
            return answer.code

    def flush(self) -> None:
        """Makes the SDK send everything, and waits for it."""
        self.process.stdin.write("flush\n")
        self.process.stdin.flush()
        self._expect("flushed")

    def stop(self) -> None:
        self.process.stdin.close()
        assert self.process.wait(timeout=30) == 0, self.log.read_text()
        self.process.stdout.close()

    def _expect(self, line: str) -> None:
        found = self.process.stdout.readline().strip()
        assert found == line, f"the app said {found!r}:\n{self.log.read_text()[-4000:]}"


def poll(holds: Callable[[], bool], what: str, describe: Callable[[], str], timeout_seconds: float) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not holds():
        assert time.monotonic() < deadline, f"not seen within {timeout_seconds} s: {what}\n{describe()}"
        time.sleep(0.02)
