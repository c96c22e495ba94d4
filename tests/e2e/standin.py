"""What the two vendors' stand-ins share: an HTTP server that keeps every request, and can be told to fail the next ones.

A stand-in is stricter than its vendor. What it refuses it also notes in `violations`; a test that expects none says
so at its end, so a gateway that retries until something passes is still found out.
"""

import gzip
import http.server
import threading
import time
import zlib
from collections.abc import Callable
from typing import NamedTuple

import zstandard

BODY_BYTES_MAX = 20 * 1024 * 1024  # Honeycomb's own limit after inflation; Rollbar's is far below
STOP_SECONDS = 0.02  # how often the server looks whether it shall end


class Request(NamedTuple):
    """One request as it arrived; header names in lower case, `body` after inflation, `time` monotonic seconds."""

    method: str
    path: str
    headers: dict
    body: bytes
    time: float


class Answer(NamedTuple):
    status: int
    body: bytes = b""
    headers: dict = {}


class Refusal(Exception):
    """Raised by a stand-in's `answer` for a request that the vendor would not take."""

    def __init__(self, status: int, reason: str):
        super().__init__(f"{status}: {reason}")
        self.status, self.reason = status, reason


def inflated(encoding: str | None, body: bytes) -> bytes:
    """Undoes the content encoding; a body that goes on after its stream, or holds less than it says, is refused."""
    try:
        if encoding is None:
            plain = body
        elif encoding == "gzip":
            plain = gzip.decompress(body)
        elif encoding == "zstd":
            reader = zstandard.ZstdDecompressor(max_window_size=8 * 1024 * 1024).stream_reader(body, read_across_frames=True)
            plain = reader.read(BODY_BYTES_MAX + 1)
        else:
            raise Refusal(415, f"content-encoding {encoding!r}")
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        raise Refusal(400, f"the {encoding} body does not decode: {error}") from error
    if len(plain) > BODY_BYTES_MAX:
        raise Refusal(413, "body too large")
    return plain


class StandIn:
    """A vendor on a free port of this machine. Subclasses say what they take (`answer`) and how they refuse."""

    def __init__(self):
        self.requests: list[Request] = []  # answered by `answer` with 200
        self.troubled: list[Request] = []  # answered by a planned answer instead
        self.violations: list[str] = []
        self.planned: list[Answer] = []
        self.changed = threading.Condition()
        stand_in = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                stand_in._serve(self)

            do_GET = do_PUT = do_DELETE = do_PATCH = do_POST

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(STOP_SECONDS,), daemon=True).start()

    def answer(self, request: Request) -> Answer:
        """Judges one request: an answer, or a Refusal raised."""
        raise NotImplementedError

    def refusal(self, refusal: Refusal) -> Answer:
        """The vendor's way to say no."""
        raise NotImplementedError

    def plan(self, *answers: Answer) -> None:
        """The next requests get these answers, whatever they hold; afterwards all is well again."""
        self.planned.extend(answers)

    def wait_until(self, holds: Callable[[], bool], what: str, timeout_seconds: float = 20) -> None:
        """Waits for requests to make `holds` true."""
        with self.changed:
            assert self.changed.wait_for(holds, timeout_seconds), (
                f"not seen within {timeout_seconds} s: {what}; {len(self.requests)} requests so far, violations: {self.violations}"
            )

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def _serve(self, handler) -> None:
        headers = {name.lower(): text for name, text in handler.headers.items()}
        raw = _read_body(handler)
        with self.changed:
            try:
                request = Request(handler.command, handler.path, headers, inflated(headers.get("content-encoding"), raw), time.monotonic())
                verdict = self.answer(request)
                if self.planned:
                    self.troubled.append(request)
                    verdict = self.planned.pop(0)
                else:
                    self.requests.append(request)
                    self.taken(request)
            except Refusal as refusal:
                self.violations.append(f"{handler.command} {handler.path}: {refusal}")
                verdict = self.refusal(refusal)
            self.changed.notify_all()
        handler.send_response(verdict.status)
        for name, text in verdict.headers.items():
            handler.send_header(name, text)
        handler.send_header("Content-Length", str(len(verdict.body)))
        handler.end_headers()
        handler.wfile.write(verdict.body)

    def taken(self, request: Request) -> None:
        """Called once for each request that was answered with success."""


def _read_body(handler) -> bytes:
    if handler.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    parts = []
    while size := int(handler.rfile.readline().split(b";")[0], 16):
        parts.append(handler.rfile.read(size))
        handler.rfile.readline()
    while handler.rfile.readline().strip():
        pass  # trailers
    return b"".join(parts)
