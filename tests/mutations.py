"""Hypothesis strategies that damage what is valid: JSON trees, the bytes that they become, and how bytes are cut."""

import gzip
import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

DEEP = 5_000  # nested lists; more than any parser here follows


@dataclass(frozen=True)
class Raw:
    """A value as it is written in JSON, or as no JSON allows."""

    text: bytes


@dataclass(frozen=True)
class Pairs:
    """An object whose keys may occur twice."""

    items: tuple[tuple[str, Any], ...]


ODD_VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 1.5, 2**31, 2**63, 2**64, -(2**63) - 1, "", " ", "\0", "x" * 5_000, "\u202e\u200b"),
    *([], {}, [[]], [None], ["text"], {"": ""}, {"type": "text"}, {"type": "text", "text": 5}, {"type": "surprise"}),
    *map(
        Raw,
        [
            *(b"NaN", b"Infinity", b"-0", b"1e999", b"-1e-999", b"9" * 5_000, b"0x10", b"01", b"+1", b".5", b"1.", b""),
            *(b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\u0000"', b'"\xff\xfe"', b'"\xed\xa0\x80"', b'"\\x41"', b"'a'"),
            *(b'"\n"', b'"', b"[" * DEEP, b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP + b"1" + b"}" * DEEP, b"[1,]"),
            *(b'{"a":1,"a":2}', b'{"a":1,"\\u0061":2}', b"{,}", b"{1:2}", b"tru", b"nul", b"1 2", b"/*c*/1"),
        ],
    ),
]
ODD_KEYS = ["", "type", "text", "role", "content", "model", "__class__", "__dict__", "self", "\0", "é", "a" * 500]
VALUES = st.one_of(
    st.sampled_from(ODD_VALUES),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(), max_size=12),
)


def dump(value: Any) -> bytes:
    """Return a tree as JSON."""
    match value:
        case Raw():
            return value.text
        case Pairs():
            return b"{" + b",".join(json.dumps(name).encode() + b":" + dump(part) for name, part in value.items) + b"}"
        case dict():
            return dump(Pairs(tuple(value.items())))
        case list() | tuple():
            return b"[" + b",".join(map(dump, value)) + b"]"
        case _:
            return json.dumps(value).encode()


def paths(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in a tree."""
    parts: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    elif isinstance(value, Pairs):
        parts = list(enumerate(part for _, part in value.items))
    return [above, *(found for name, part in parts for found in paths(part, (*above, name)))]


def put(tree: Any, path: tuple[Any, ...], change: Any) -> Any:
    """Return the tree with the value at a path replaced by what `change` makes of it."""
    if not path:
        return change(tree)
    first, *rest = path
    if isinstance(tree, Pairs):
        items = list(tree.items)
        items[first] = items[first][0], put(items[first][1], tuple(rest), change)
        return Pairs(tuple(items))
    changed = list(tree) if isinstance(tree, list) else dict(tree)
    changed[first] = put(changed[first], tuple(rest), change)
    return changed


@st.composite
def changes(draw: st.DrawFn) -> Any:
    """Draw a function that damages one value."""
    kind = draw(st.sampled_from(["replace", "replace", "wrap", "name", "omit", "double", "more"]))
    value, key = draw(VALUES), draw(st.sampled_from(ODD_KEYS))
    place = draw(st.integers(0, 7))

    def change(old: Any) -> Any:
        items = list(old.items()) if isinstance(old, dict) else list(old.items) if isinstance(old, Pairs) else None
        match kind, items, old:
            case "wrap", _, _:
                return [old]
            case "name", _, _:
                return {key: old}
            case "omit", [_, *_], _:
                return Pairs(tuple(item for index, item in enumerate(items) if index != place % len(items)))
            case "double", [_, *_], _:
                return Pairs((*items, (items[place % len(items)][0], value)))
            case "double", _, [_, *_]:
                return [*old, *old]
            case "more", [_, *_], _:
                return Pairs((*items, (key, value)))
            case "more", _, [*_]:
                return [*old, value]
        return value

    return change


@st.composite
def damaged(draw: st.DrawFn, tree: Any, most: int = 3) -> Any:
    """Draw a tree with up to so many values damaged."""
    for _ in range(draw(st.integers(0, most))):
        tree = put(tree, draw(st.sampled_from(paths(tree))), draw(changes()))
    return tree


@st.composite
def damaged_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    """Draw the bytes, whole or with something wrong below the level of JSON."""
    at = draw(st.integers(0, len(data)))
    match draw(st.sampled_from(["", "", "", "", "", "cut", "flip", "insert", "mark", "pack", "after", "wide"])):
        case "cut":
            return data[:at]
        case "flip":
            return data[:at] + bytes([data[at] ^ draw(st.integers(1, 255))]) + data[at + 1 :] if at < len(data) else b""
        case "insert":
            return data[:at] + draw(st.binary(min_size=1, max_size=4)) + data[at:]
        case "mark":
            return b"\xef\xbb\xbf" + data
        case "pack":
            return gzip.compress(data, mtime=0)
        case "after":
            return data + draw(st.sampled_from([b"\0", b"{}", b"\n\n", b"]", data]))
        case "wide":
            return data.decode("utf-8", "replace").encode("utf-16")
    return data


@st.composite
def pieces(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """Draw the bytes cut into a few pieces."""
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=4)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if start < end]
