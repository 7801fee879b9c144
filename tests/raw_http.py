"""HTTP/1.1 as bytes: a server that sends whatever it is told to, and a strict reader of responses."""

import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

LINE = b"\r\n"
STATUS = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d) [\t\x20-\x7e\x80-\xff]*")
HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\t\x20-\x7e\x80-\xff]*)")
BETWEEN_PIECES_S = 0.001  # so that most pieces are read apart
STALLED_S = 5.0  # until a peer that sends nothing is given up
WITHOUT_BODY = (204, 304)
RESET = struct.pack("ii", 1, 0)  # linger for no time: closing resets the connection


class NoHttpError(Exception):
    """What was received is no HTTP response."""


@dataclass(frozen=True)
class Response:
    """One response; `body` is without its framing."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]  # names in lower case
    body: bytes
    is_whole: bool  # the body ended as its framing says

    def all_of(self, name: bytes) -> list[bytes]:
        return [value for found, value in self.headers if found == name]


def read_response(data: bytes, *, to_head: bool, is_closed: bool) -> tuple[Response, bytes] | None:
    """Return the first final response and the bytes after it; None if its headers are not there yet.

    `to_head` says that the request was a HEAD, `is_closed` that no more will come.

    Raises:
        NoHttpError: these bytes break the rules of HTTP.
    """
    while True:
        head, found, rest = data.partition(LINE * 2)
        if not found:
            return None
        first, *lines = head.split(LINE)
        if not (status := STATUS.fullmatch(first)):
            raise NoHttpError(f"{first[:80]!r} is no status line")
        if int(status[1]) >= 200:
            break
        data = rest
    headers = []
    for line in lines:
        if not (header := HEADER.fullmatch(line)):
            raise NoHttpError(f"{line[:80]!r} is no header")
        headers.append((header[1].lower(), header[2]))
    body, is_whole, rest = _read_body(int(status[1]), dict(headers), rest, to_head=to_head, is_closed=is_closed)
    response = Response(int(status[1]), tuple(headers), body, is_whole)
    lengths = response.all_of(b"content-length") + response.all_of(b"transfer-encoding")
    if len(lengths) > 1:
        raise NoHttpError(f"a response with {len(lengths)} lengths")
    return response, rest


def _read_body(
    status: int, headers: dict[bytes, bytes], data: bytes, *, to_head: bool, is_closed: bool
) -> tuple[bytes, bool, bytes]:
    """Return the body, whether it is whole, and what follows it."""
    if to_head or status in WITHOUT_BODY:
        return b"", True, data
    if b"transfer-encoding" in headers:
        return _read_chunks(data)
    if b"content-length" in headers:
        if not headers[b"content-length"].isdigit():
            raise NoHttpError("the content-length is no number")
        length = int(headers[b"content-length"])
        return data[:length], len(data) >= length, data[length:]
    return data, is_closed, b""


def _read_chunks(data: bytes) -> tuple[bytes, bool, bytes]:
    body = b""
    while True:
        size, found, rest = data.partition(LINE)
        if not found:
            return body, False, b""
        if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", size):
            raise NoHttpError(f"{size[:40]!r} is no size of a chunk")
        length = int(size, 16)
        body += rest[:length]
        if len(rest) < length + len(LINE):
            return body, False, b""
        if rest[length : length + len(LINE)] != LINE:
            raise NoHttpError("a chunk without its end")
        data = rest[length + len(LINE) :]
        if length == 0:
            return body, True, data


def exchange(connect: Callable[[], socket.socket], pieces: list[bytes], wait_s: float) -> tuple[bytes, bool]:
    """Send pieces; return what came back until a whole response, the end or a silence, and whether it was the end."""
    received, to_head = b"", pieces[:1] != [] and pieces[0].startswith(b"HEAD ")
    with connect() as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
                if len(pieces) > 1:
                    time.sleep(BETWEEN_PIECES_S)
        except ConnectionError:
            pass  # the server refuses the rest; it may have said why
        except TimeoutError:
            return received, False
        until = time.monotonic() + wait_s
        while (left := until - time.monotonic()) > 0:
            connection.settimeout(left)
            try:
                piece = connection.recv(65536)
            except TimeoutError:
                break
            except ConnectionError:
                return received, True
            if not piece:
                return received, True
            received += piece
            read = read_response(received, to_head=to_head, is_closed=False)
            if read and read[0].is_whole:
                break
    return received, False


@dataclass(frozen=True)
class Arrived:
    """A request that the server received."""

    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]  # names in lower case
    body: bytes

    def all_of(self, name: bytes) -> list[bytes]:
        return [value for found, value in self.headers if found == name]


@dataclass(frozen=True)
class Script:
    """What the server sends: pieces, then the end of the connection, in good order or by a reset."""

    pieces: tuple[bytes, ...]
    resets: bool = False


class RawServer:
    """A context manager that answers every request on 127.0.0.1 with `script`, and keeps what arrived."""

    def __init__(self, script: Script = Script(())) -> None:
        self.script = script
        self.arrived: list[Arrived] = []
        self.connections = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._is_ending = False
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_ending = True
        socket.create_connection(("127.0.0.1", self.port)).close()  # wakes `accept`
        self._thread.join()
        self._listening.close()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            if self._is_ending:
                connection.close()
                return
            self.connections += 1
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(STALLED_S)
        with connection, suppress(OSError):
            if (request := _read_request(connection)) is None:
                return
            self.arrived.append(request)
            script = self.script
            for piece in script.pieces:
                connection.sendall(piece)
                time.sleep(BETWEEN_PIECES_S)
            if script.resets:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def _read_request(connection: socket.socket) -> Arrived | None:
    """Read one request with a content-length; None if the client hangs up before its end."""
    data = b""
    while LINE * 2 not in data:
        if not (piece := connection.recv(65536)):
            return None
        data += piece
    head, _, body = data.partition(LINE * 2)
    first, *lines = head.split(LINE)
    headers = tuple((name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines))
    lengths = [int(value) for name, value in headers if name == b"content-length"]
    while len(body) < sum(lengths):
        if not (piece := connection.recv(65536)):
            return None
        body += piece
    return Arrived(first.split(b" ")[1], headers, body)
