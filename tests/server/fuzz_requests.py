"""Hypothesis strategies for requests to the service, valid but for a few parts."""

from typing import Any, TypeVar

from hypothesis import strategies as st

from tests.mutations import damaged, damaged_bytes, dump, pieces
from tests.raw_http import LINE

T = TypeVar("T")

QUESTION, ANSWER = "quetzalcoatl", "ptarmigan"  # no log and no error may hold these words
TOKEN, ELSEWHERE = b"@TOKEN@", b"@ELSEWHERE@"  # in a request: the service's token; a host that must not be asked
TEXT = f"how tall is a {QUESTION}?"
BASE: dict[str, Any] = {"model": "claude-x", "max_tokens": 300, "messages": [{"role": "user", "content": TEXT}]}
BLOCKS = [{"type": "text", "text": TEXT, "cache_control": {"type": "ephemeral"}}]
BODIES: list[dict[str, Any]] = [
    BASE,
    {**BASE, "stream": True, "stop_sequences": [f"\n{QUESTION}"], "temperature": 1.0},
    {**BASE, "system": BLOCKS, "messages": [{"role": "user", "content": BLOCKS}], "metadata": {"user_id": QUESTION}},
    {**BASE, "tools": [{"name": "t", "input_schema": {"type": "object"}}], "tool_choice": {"type": "auto"}},
    {**BASE, "thinking": {"type": "enabled", "budget_tokens": 1024}, "top_k": 3},
    {**BASE, "messages": [*BASE["messages"], {"role": "assistant", "content": "Hm."}, *BASE["messages"]]},
]
OWN_BODIES = [{"text": TEXT, "system": QUESTION, "model": "claude-x", "continues": False, "kept": False, "wish": None}]

METHODS = [
    *(b"GET", b"HEAD", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE", b"CONNECT"),
    *(b"post", b"PRI", b"POST\t", b"M-SEARCH", b"X" * 100),
]
TARGETS = [
    *(b"/v1/messages?beta=true", b"/v1/models", b"/v1/", b"/v1"),
    *(b"/v1/messages/", b"/v1//messages", b"/v1/%6dessages", b"/v1/messages%00", b"/v1/messages%0d%0aX:y", b"/v1/#a"),
    *(b"/v1/../v1/messages", b"/v1/%2e%2e/x", b"/v1/a/..;/b", b"/v1/%ff", b"/v1/a?%ff&\x7e=[]", b"/v1/%", b"/v1/%zz"),
    *(b"/health", b"/metrics", b"/own/ask", b"/own/away", b"//own/ask", b"/OWN/ask", b"/", b"*", b"", b"?", b"v1/x"),
    *(b"%2Fv1/messages", b"%2Fv1%2F@" + ELSEWHERE + b"/x", b"/v1/x@" + ELSEWHERE, b"//" + ELSEWHERE + b"/v1/messages"),
    *(b"http://" + ELSEWHERE + b"/v1/messages", b"/v1/messages" + b"a" * 70_000, b"/v1/\\\\" + ELSEWHERE, b"/v1/a b"),
    *(
        b"/v1/\xc3\xa9",
        b"/v1/" + b"%41" * 5_000,
        ELSEWHERE,
        b"@" + ELSEWHERE,
        b"/v1/[::1]:80",
        b"/v1/a;b=c,d\"'<>^`{|}",
    ),
]
VERSIONS = [b"HTTP/1.0", b"HTTP/2.0", b"http/1.1", b"HTTP/1.10", b""]
GOOD_HEADERS = [b"host: 127.0.0.1", b"x-api-key: " + TOKEN, b"content-type: application/json"]
ODD_HEADERS = [
    *(b"host: 127.0.0.1", b"host: localhost:1", b"Host: evil.example", b"host:", b"host: " + ELSEWHERE, b"host: [::1]"),
    *(
        b"x-api-key: wrong",
        b"x-api-key:",
        b"authorization: Bearer " + TOKEN,
        b"authorization: \xc3\xa9",
        b"origin: null",
    ),
    *(b"connection: close", b"connection: keep-alive, x-api-key", b"connection: upgrade", b"connection: ,,\t,"),
    *(b"upgrade: websocket", b"upgrade: h2c", b"http2-settings: AAMAAABk", b"expect: 100-continue", b"expect: x"),
    *(
        b"via: 1.1 shammah",
        b"via: 1.0 x, 1.1 shammah",
        b"te: trailers",
        b"trailer: x",
        b"cookie: a=b; c",
        b"x: \xff\xfe",
    ),
    *(
        b"folded: a\r\n b",
        b" folded: a",
        b"empty:",
        b": no name",
        b"no colon",
        b"a b: c",
        b"x\0y: z",
        b"x: a\0b",
        b"x: a\rb",
    ),
    *(b"x: a\nhost: evil.example", b"x-" + b"n" * 9_000 + b": v", b"x: " + b"v" * 70_000, b"accept-encoding: gzip, br"),
    *(b"accept-encoding: identity;q=0", b"anthropic-version: \xe9", b"anthropic-version: 1, 2", b"anthropic-beta: x"),
    *(
        b"shammah-cache: no",
        b"shammah-cache: NO ",
        b"shammah-scope: \xff",
        b"shammah-scope:",
        b"content-encoding: gzip",
    ),
    *(
        b"content-type: text/plain; charset=utf-16",
        b"content-type: multipart/form-data; boundary=x",
        b"range: bytes=0-1",
    ),
    *(b"proxy-connection: keep-alive", b"proxy-authorization: Basic eA==", b"forwarded: for=x;host=" + ELSEWHERE),
    *(
        b"x-forwarded-host: " + ELSEWHERE,
        b"x-http-method-override: TRACE",
        b"if-none-match: *",
        b"transfer-encoding: x",
    ),
    *(b"content-length: 3", b"content-length: -1", b"content-length: 1e3", b"content-length: 99999999999999999999"),
]


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    return draw(damaged_bytes(dump(draw(damaged(draw(st.sampled_from(BODIES)))))))


@st.composite
def own_bodies(draw: st.DrawFn) -> bytes:
    return draw(damaged_bytes(dump(draw(damaged(draw(st.sampled_from(OWN_BODIES)))))))


def request(target: bytes, body: bytes, *headers: bytes, method: bytes = b"POST") -> bytes:
    """Return a valid request."""
    lines = [method + b" " + target + b" HTTP/1.1", *GOOD_HEADERS, *headers, b"content-length: %d" % len(body)]
    return LINE.join([*lines, b"", body])


@st.composite
def framed(draw: st.DrawFn, body: bytes) -> tuple[list[bytes], bytes]:
    """Draw headers that say where a body ends, right or wrong, and its bytes."""
    length, chunked = b"content-length: %d" % len(body), b"transfer-encoding: chunked"
    half = len(body) // 2
    chunks = b"%x\r\n%s\r\n%X;a=b\r\n%s\r\n" % (half, body[:half], len(body) - half, body[half:]) if half else b""
    return draw(
        st.sampled_from(
            [
                *[([length], body)] * 4,
                *[([chunked], chunks + b"0\r\n\r\n")] * 2,
                ([], body),
                ([length, length], body),
                ([length, b"content-length: %d" % (len(body) + 1)], body),
                ([b"content-length: %d, %d" % (len(body), len(body))], body),
                ([b"content-length: +%d" % len(body)], body),
                ([b"content-length: %d" % (len(body) + 40)], body),
                ([b"content-length: %d" % half], body),
                ([length, chunked], chunks + b"0\r\n\r\n"),
                ([chunked, length], body),
                ([chunked], chunks[: len(chunks) // 2]),
                ([chunked], chunks + b"0\r\nx-trailer: y\r\n\r\n"),
                ([chunked], chunks + b"0\r\n" + b"x: y\r\n" * 2_000 + b"\r\n"),
                ([chunked], b"fffffffff\r\n" + body),
                ([chunked], b"-1\r\n" + body),
                ([chunked], b"5\nhello\n0\n\n"),
                ([chunked], b"3\r\nabcd\r\n0\r\n\r\n"),
                ([b"transfer-encoding: chunked, identity"], chunks + b"0\r\n\r\n"),
                ([b"transfer-encoding: gzip, chunked"], chunks + b"0\r\n\r\n"),
                ([b"transfer-encoding:\tchunked"], chunks + b"0\r\n\r\n"),
                ([b"Transfer-Encoding: chunked", b"Transfer-Encoding: x"], chunks + b"0\r\n\r\n"),
            ]
        )
    )


PARTS = ("method", "target", "version", "headers", "missing", "framing", "body", "ends", "after", "bytes")


@st.composite
def raw_requests(draw: st.DrawFn) -> list[bytes]:
    """Draw the bytes of a connection: a valid request but for up to three of its parts, and sometimes a second one."""
    odd = draw(st.sets(st.sampled_from(PARTS), max_size=3))

    def part(name: str, usual: T, others: st.SearchStrategy[T]) -> T:
        return draw(others) if name in odd else usual

    body = part("body", dump(BASE), st.sampled_from([b"", b"x" * 300_000]) | bodies())
    method = part("method", b"POST", st.sampled_from(METHODS))
    target = part("target", b"/v1/messages", st.sampled_from(TARGETS))
    version = part("version", b"HTTP/1.1", st.sampled_from(VERSIONS))
    kept = part("missing", GOOD_HEADERS, st.lists(st.sampled_from(GOOD_HEADERS), unique=True))
    more = part("headers", [], st.lists(st.sampled_from(ODD_HEADERS), min_size=1, max_size=3))
    framing, sent = part("framing", ([b"content-length: %d" % len(body)], body), framed(body))
    lines = draw(st.permutations([*kept, *more, *framing])) if more else [*kept, *framing]
    end = part("ends", LINE, st.sampled_from([b"\n", b"\r", b"\n\r"]))
    data = end.join([b" ".join(filter(None, (method, target, version))), *lines, b"", b""]) + sent
    second = [LINE * 2, b"\0" * 50, request(b"/health", b"", method=b"GET"), data]
    data += part("after", b"", st.sampled_from(second))
    return draw(pieces(part("bytes", data, damaged_bytes(data))))
