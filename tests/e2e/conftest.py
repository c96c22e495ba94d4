"""Fixtures: the binary under test, one moto server for all, and a fresh gateway with fresh stand-ins wherever one is asked for."""

import os
import pathlib

import boto3
import pytest
from honeycomb import Honeycomb
from moto.server import ThreadedMotoServer
from rollbar import Rollbar

from gateway import ACCESS_TOKEN, API_KEY, SECRETS, Gateway


class World:
    """One gateway and the three vendors around it."""

    def __init__(self, binary: pathlib.Path, directory: pathlib.Path, xray_url: str):
        self.directory = directory
        self.honeycomb, self.rollbar = Honeycomb(API_KEY), Rollbar(ACCESS_TOKEN)
        self._xray = boto3.client(
            "xray", endpoint_url=xray_url, region_name="us-east-1", aws_access_key_id="reader", aws_secret_access_key="reader"
        )
        self.last_words: dict[str, str] | None = None
        self.gateway = Gateway(binary, directory, self.honeycomb.url, xray_url, self.rollbar.url)

    def documents(self, trace_ids) -> list[tuple[str, str]]:
        """The X-Ray documents of these traces as BatchGetTraces returns them: trace id and document text."""
        found, ids = [], sorted(set(trace_ids))
        for at in range(0, len(ids), 5):  # the API takes five ids at most
            for trace in self._xray.batch_get_traces(TraceIds=ids[at : at + 5])["Traces"]:
                found.extend((trace["Id"], segment["Document"]) for segment in trace["Segments"])
        return found

    def __enter__(self) -> "World":
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is None:
            self.close()
        else:
            self.kill()

    def stop(self) -> None:
        """Ends the gateway in good order, after a last look at what it says of itself; a second call does nothing."""
        if self.last_words is None:
            self.last_words = {path: self.gateway.get(path)[2] for path in ("/status", "/metrics")}
            assert self.gateway.stop() == 0, self.gateway.describe()

    def close(self) -> None:
        """Ends everything, and holds what is true of every run: nobody was sent anything improper, no secret got out."""
        try:
            self.stop()
        finally:
            self.kill()
        log = self.gateway.log.read_text()
        for secret in SECRETS:
            for place, text in {**self.last_words, "the log": log}.items():
                assert secret not in text, f"a secret stands in {place}"
        assert "panicked" not in log, log
        assert self.honeycomb.violations == [] and self.rollbar.violations == []

    def kill(self) -> None:
        """Leaves nothing running, however things stand."""
        self.gateway.process.kill()
        self.gateway.process.wait()
        self.honeycomb.stop()
        self.rollbar.stop()


@pytest.fixture(scope="session")
def binary() -> pathlib.Path:
    """The gateway under test, named by run.sh."""
    return pathlib.Path(os.environ["TELEMETRY_GATEWAY"]).resolve(strict=True)


@pytest.fixture(scope="session")
def xray_url():
    """moto's X-Ray. Trace ids are random, so that all gateways can share it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def world(binary, xray_url, tmp_path):
    """A gateway of the test's own."""
    with World(binary, tmp_path, xray_url) as made:
        yield made
