"""A reverse proxy before an S3 server that counts requests and injects faults.

Tests point headrace at a Proxy instead of the server. Every request is recorded as a Request, so a
test can say how many LIST requests or bytes an operation may cost. A Fault makes the requests it
matches fail in a chosen way: the connection is reset, the body is cut, another status is answered,
the answer is lost after the server acted, or a function of the test runs first, which may for
example replace the object.

Host and all signed headers pass unchanged, so signatures made for the proxy's address hold.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import socketserver
import struct
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from limits import WAIT_LIMIT_S

HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "expect", "te", "upgrade"}
PIECE = 65536


@dataclass
class Request:
    """One request as the proxy saw it; status 0 means that no answer was sent."""

    kind: str
    method: str
    bucket: str
    key: str
    query: dict[str, str]
    headers: dict[str, str]
    connection: int
    status: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    started: float = 0.0
    ended: float = 0.0
    fault: str = ""

    @property
    def range(self) -> tuple[int, int] | None:
        """First and last byte of a Range header of the form bytes=a-b."""
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", ""))
        return (int(found[1]), int(found[2])) if found else None


@dataclass
class Fault:
    """What goes wrong, for which requests, how often.

    action: reset     close with RST, after `after` bytes of the body if the request was answered
            truncate  announce the whole body, send `after` bytes, close in order
            stall     send `after` bytes, then nothing for `seconds`
            status    answer `status` with the S3 error `code`, the server sees nothing
            short     answer with the first `after` bytes as though they were all
            error200  answer 200 with the S3 error `code` in the body, the server sees nothing
            lost      let the server act, then reset instead of answering
            delay     wait `seconds`, then behave
            corrupt   flip one bit of the body at byte `after`
            call      run `call(request)`, then behave
            rewrite   answer what `rewrite(request, headers, body)` makes of headers and body
    """

    action: str
    kind: str | None = None
    key: str | None = None
    skip: int = 0
    times: int = 1
    after: int = 0
    seconds: float = 0.0
    status: int = 503
    code: str = "SlowDown"
    headers: dict[str, str] = field(default_factory=dict)
    call: Callable[[Request], None] | None = None
    rewrite: Callable[[Request, dict[str, str], bytes], bytes] | None = None
    hits: int = 0

    def matches(self, request: Request) -> bool:
        """Whether the request is of the kind and key that this fault is for."""
        if self.kind is not None and self.kind != request.kind:
            return False
        return self.key is None or re.search(self.key, request.key) is not None


def classify(method: str, key: str, query: dict[str, str], headers: dict[str, str]) -> str:
    """The S3 operation of a request, by the names that the counters of headrace use."""
    if method == "GET":
        if not key:
            if "location" in query or "versioning" in query:
                return "bucket"
            return "uploads" if "uploads" in query else "list"
        return "parts" if "uploadId" in query else "get"
    if method == "PUT":
        if not key:
            return "bucket"
        if "partNumber" in query:
            return "upload_part"
        return "copy" if "x-amz-copy-source" in headers else "put"
    if method == "POST":
        if "uploads" in query:
            return "create_multipart"
        if "uploadId" in query:
            return "complete_multipart"
        return "delete_many" if "delete" in query else "post"
    if method == "DELETE":
        return "abort_multipart" if "uploadId" in query else "delete"
    return method.lower()


def error_xml(code: str) -> bytes:
    """The body of an S3 error answer."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>injected by the test</Message>"
        "<RequestId>0000</RequestId></Error>"
    ).encode()


class _ResetError(Exception):
    """Raised inside a handler to close the client's connection with RST."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One segment per answer matters: Nagle and delayed ACK together cost 40 ms a request.
    disable_nagle_algorithm = True
    server: _Server
    upstream: http.client.HTTPConnection | None = None

    def setup(self) -> None:
        super().setup()
        self.number = self.server.proxy.new_connection()

    def finish(self) -> None:
        if self.upstream is not None:
            self.upstream.close()
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the output of the tests clean."""

    def body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            data = bytearray()
            while size := int(self.rfile.readline().split(b";")[0], 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            return bytes(data)
        size = int(self.headers.get("content-length", "0"))
        data = self.rfile.read(size)
        if len(data) < size:
            raise ConnectionError("the client went away")
        return data

    def parse(self) -> Request:
        path, _, raw_query = self.path.partition("?")
        pairs = urllib.parse.parse_qsl(raw_query, keep_blank_values=True)
        bucket, _, key = path.lstrip("/").partition("/")
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = dict(pairs)
        return Request(
            kind=classify(self.command, key, query, headers),
            method=self.command,
            bucket=urllib.parse.unquote(bucket),
            key=urllib.parse.unquote(key),
            query=query,
            headers=headers,
            connection=self.number,
            started=time.monotonic(),
        )

    def serve(self) -> None:
        with self.server.proxy.serving():
            self.serve_one()

    def serve_one(self) -> None:
        request = self.parse()
        fault = self.server.proxy.admit(request)
        try:
            data = self.body()
            request.bytes_in = len(data)
            self.act(request, fault, data)
        except _ResetError:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
        except (OSError, http.client.HTTPException):
            self.close_connection = True
        request.ended = time.monotonic()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = serve  # noqa: N815

    def act(self, request: Request, fault: Fault | None, data: bytes) -> None:
        action = fault.action if fault else ""
        if fault is not None:
            if action == "delay":
                self.server.proxy.stopping.wait(fault.seconds)
            elif action == "call" and fault.call is not None:
                fault.call(request)
            elif action in ("status", "error200"):
                status = 200 if action == "error200" else fault.status
                self.answer(request, status, fault.headers, error_xml(fault.code))
                return
            elif action == "reset" and fault.after == 0:
                raise _ResetError
        response = self.forward(data)
        if action == "lost":
            response.read()
            raise _ResetError
        if action == "rewrite" and fault is not None and fault.rewrite is not None:
            headers = {name.lower(): value for name, value in response.getheaders()}
            self.rewritten(
                request, response, fault.rewrite(request, headers, response.read()), headers
            )
            return
        self.relay(request, response, fault)

    def forward(self, data: bytes) -> http.client.HTTPResponse:
        for attempt in (1, 2):
            if self.upstream is None:
                host, port = self.server.proxy.upstream
                self.upstream = http.client.HTTPConnection(host, port, timeout=300)
                self.upstream.connect()
                self.upstream.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                self.upstream.putrequest(
                    self.command, self.path, skip_host=True, skip_accept_encoding=True
                )
                for name, value in self.headers.items():
                    if name.lower() not in HOP_HEADERS | {"content-length"}:
                        self.upstream.putheader(name, value)
                if data or self.command in ("PUT", "POST"):
                    self.upstream.putheader("Content-Length", str(len(data)))
                self.upstream.endheaders(data or None)
                return self.upstream.getresponse()
            except (OSError, http.client.HTTPException):
                # The server may have closed an idle connection; a new one is tried once.
                self.upstream.close()
                self.upstream = None
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")

    def answer(self, request: Request, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        request.status = status
        for name, value in {"Content-Type": "application/xml", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            request.bytes_out = len(body)
            self.wfile.write(body)

    def rewritten(
        self,
        request: Request,
        response: http.client.HTTPResponse,
        body: bytes,
        headers: dict[str, str],
    ) -> None:
        self.send_response_only(response.status)
        request.status = response.status
        length = headers.get("content-length", "0") if self.command == "HEAD" else str(len(body))
        for name, value in headers.items():
            if name not in HOP_HEADERS | {"content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        request.bytes_out = len(body)
        self.wfile.write(body)

    def relay(
        self, request: Request, response: http.client.HTTPResponse, fault: Fault | None
    ) -> None:
        self.send_response_only(response.status)
        request.status = response.status
        chunked = response.headers.get("transfer-encoding", "").lower() == "chunked"
        short = fault is not None and fault.action == "short"
        for name, value in response.getheaders():
            if short and name.lower() == "content-length":
                value = str(min(int(value), fault.after))
            if name.lower() not in HOP_HEADERS:
                self.send_header(name, value)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in self.pieces(request, response, fault):
            request.bytes_out += len(piece)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked and not self.close_connection:
            self.wfile.write(b"0\r\n\r\n")

    def pieces(
        self, request: Request, response: http.client.HTTPResponse, fault: Fault | None
    ) -> Iterator[bytes]:
        action = fault.action if fault else ""
        if fault is None or action not in ("reset", "truncate", "short", "stall", "corrupt"):
            while piece := response.read(PIECE):
                yield piece
            return
        whole = response.read()
        if action == "corrupt":
            at = min(fault.after, len(whole) - 1)
            yield whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
            return
        yield whole[: fault.after]
        if action == "reset":
            self.wfile.flush()
            raise _ResetError
        if action == "short":
            return
        self.close_connection = True
        if action == "stall":
            self.server.proxy.stopping.wait(fault.seconds)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is what these tests are about."""


class Proxy:
    """The proxy before `upstream` (host, port), on a loopback port; a context manager."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        self.upstream = upstream
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.connections = 0
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._active = 0
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.daemon = True

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def endpoint(self) -> str:
        """The URL to give as AWS_ENDPOINT_URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def fault(self, action: str, **how: Any) -> Fault:
        """Add a Fault; the first that matches and is not used up decides."""
        fault = Fault(action, **how)
        with self._lock:
            self.faults.append(fault)
        return fault

    def reset(self) -> None:
        """Forget all requests and faults."""
        with self._lock:
            self.requests.clear()
            self.faults.clear()
            self.connections = 0

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """Around each request, from its first line to the last byte of its answer."""
        with self._lock:
            self._active += 1
        try:
            yield
        finally:
            with self._lock:
                self._active -= 1
                self._idle.notify_all()

    def settle(self) -> None:
        """Wait until no request is under way, also none whose client went away."""
        with self._lock:
            assert self._idle.wait_for(lambda: self._active == 0, WAIT_LIMIT_S)

    def new_connection(self) -> int:
        """Number a client connection."""
        with self._lock:
            self.connections += 1
            return self.connections

    def admit(self, request: Request) -> Fault | None:
        """Record a request and choose its fault."""
        with self._lock:
            self.requests.append(request)
            for fault in self.faults:
                if not fault.matches(request):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                elif fault.times != 0:
                    fault.times -= 1
                    fault.hits += 1
                    request.fault = fault.action
                    return fault
            return None

    def counts(self) -> Counter[str]:
        """Requests by kind."""
        with self._lock:
            return Counter(request.kind for request in self.requests)

    def count(self, kind: str) -> int:
        """Requests of one kind."""
        return self.counts()[kind]

    def bytes_out(self, kind: str | None = None) -> int:
        """Body bytes answered, of one kind or all."""
        with self._lock:
            return sum(r.bytes_out for r in self.requests if kind in (None, r.kind))

    def bytes_in(self, kind: str | None = None) -> int:
        """Body bytes received, of one kind or all."""
        with self._lock:
            return sum(r.bytes_in for r in self.requests if kind in (None, r.kind))
