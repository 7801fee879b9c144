"""Whatever is typed, piped in or written into a file: an answer, or one line and a hint, and never a traceback."""

import json
import math
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec import inspect

from shammah_mlx.cli.main import main
from shammah_mlx.config import Config
from tests.command import run
from tests.conftest import TINY_TOML
from tests.home.test_late_audits import LEARNT, TOML
from tests.loopback import Loopback, reply

TINY = TINY_TOML + "[teacher]\nmax_retries = 0\n"
SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


pytestmark = pytest.mark.settings(TINY_TOML)


def check(told: Result) -> Result:
    """Pass if a command did what it was told or said clearly why not."""
    assert told.exception is None or isinstance(told.exception, SystemExit), repr(told.exception)
    assert told.exit_code in range(5)
    assert "Traceback" not in told.output
    if told.exit_code == 1:
        lines = told.stderr.splitlines()
        for beginning in ("Error: ", "Hint: "):
            assert sum(line.startswith(beginning) for line in lines) == 1, told.stderr
    return told


HALF = st.characters(exclude_categories=())  # half characters too, as bytes that are no UTF-8 become in arguments
ODD = st.sampled_from(
    [
        *("", " \t\n", "-", "--", "-c", "--help", "--no-such", "--home=", "--timeout=nan", "\0", "\x1b[2J\x07", "\r"),
        *("\ufeff", "\u202egnp", "\u2028", "\udcff", "\ud83d", "e\u0301", "%s{}", "[SEP] <|im_end|>", "é" * 50_001),
        *(
            "x" * 100_000,
            "x" * 100_001,
            "a " * 2_000,
            "\n" * 3_000,
            "0" * 5_000,
            "rm -rf /",
            "password = hunter2hunter2",
        ),
    ]
)
WORDS = st.one_of(st.text(HALF, max_size=40), ODD)


@pytest.fixture
def homes(tmp_path: Path, claude: Loopback) -> dict[str, Path]:
    """Return two homes in which something was asked, by what their config.toml says."""
    made: dict[str, Path] = {}
    for config, asked in ((TINY, LEARNT[:1]), (TOML, LEARNT)):
        made[config] = tmp_path / f"home {len(made)}"
        made[config].mkdir(mode=0o700)
        (made[config] / "config.toml").write_text(config)
        for text in asked:
            assert run("ask", "--home", str(made[config]), "--claude", text).exit_code == 0
    return made


class TestQueries:
    @pytest.mark.parametrize("home", ["\udcff", "~no-such-user/home", " "])
    def test_a_home_that_is_no_folder_is_refused(self, home: str, monkeypatch: pytest.MonkeyPatch) -> None:
        assert check(run("status", "--home", home)).exit_code == 2
        assert check(run("--home", home, "status")).exit_code == 2
        monkeypatch.setenv("SHAMMAH_HOME", home)
        told = check(run("status"))
        assert told.exit_code == 1
        assert told.stderr.startswith("Error: SHAMMAH_HOME is no folder: ")

    def test_what_the_encoding_of_the_output_lacks_is_written_in_another_way(
        self, home: Path, claude: Loopback
    ) -> None:
        claude.default_to(reply("Drei Öre."))
        told = check(CliRunner(charset="ascii").invoke(main, ["ask", "--no-store", "hello"]))
        assert (told.exit_code, told.stdout) == (0, "Drei \\xd6re.\n")

    def test_a_model_named_by_the_server_steers_no_terminal(self, home: Path, claude: Loopback) -> None:
        claude.default_to(reply("Hello.", model="m\x1b[2J\nError: x"))
        told = check(run("ask", "--no-store", "hello"))
        assert told.stderr.startswith("claude (m[2J Error: x) · ")
        assert told.stderr.count("\n") == 1

    @settings(SLOW, max_examples=20)
    @given(query=WORDS, system=st.none() | WORDS, model=st.none() | WORDS)
    def test_any_argument_is_answered_or_clearly_refused(
        self, home: Path, claude: Loopback, query: str, system: str | None, model: str | None
    ) -> None:
        options = [
            part for name, value in (("--system", system), ("--model", model)) if value for part in (name, value)
        ]
        told = check(run("ask", "--no-store", *options, "--", query, stdin=""))
        assert told.exit_code in (0, 1)
        check(run("ask", "--no-store", query, stdin=""))  # as an option, if it looks like one

    @settings(SLOW, max_examples=10)
    @given(st.one_of(st.binary(max_size=80), WORDS.map(lambda text: text.encode("utf-8", "surrogatepass"))))
    def test_any_bytes_are_answered_or_clearly_refused_and_what_is_journalled_can_be_explained(
        self, homes: dict[str, Path], content: bytes
    ) -> None:
        home = ("--home", str(homes[TOML]))
        told = check(run("ask", *home, stdin=content))
        assert told.exit_code in (0, 1)
        for command in (("status",), ("why",), ("why", "--json")):
            assert check(run(*command, *home)).exit_code == 0

    @settings(SLOW, max_examples=8)
    @given(WORDS.filter(lambda text: text.isprintable() and text.isascii()) | st.text(max_size=40))
    @example(";")
    def test_any_answer_is_shown_and_learnt(self, homes: dict[str, Path], claude: Loopback, answer: str) -> None:
        claude.default_to(reply(answer))
        home = ("--home", str(homes[TOML]))
        told = check(run("ask", *home, "--claude", LEARNT[0]))
        assert told.exit_code == (0 if answer.strip() else 4)
        check(run("ask", *home, LEARNT[0]))  # now what was drafted is measured by it
        assert check(run("why", *home)).exit_code == 0


SMALL = ("vocab", "width", "layers", "heads", "hidden", "max_tokens", "max_draft_tokens", "max_retries")
GIVEN = {  # where another value would fetch something, or train the real decoder
    "preset": ("literal", "", "nonsense", 3, [], {}),
    "generator": ("scratch", "recall", "cloud", "", 3, []),
    "embedder": ("", "/", "/nowhere", "~no-such-user/x", "\0", 3),
    "lora.model": ("", "/nowhere", "~no-such-user/x", "\0", 3),
}
PLAIN = st.one_of(
    st.none().map(lambda _: date(2026, 11, 25)),
    st.sampled_from([datetime(2026, 11, 25, 1, 2), time(1, 2), True, False, math.nan, math.inf, -math.inf]),
    st.sampled_from(
        [0, 1, 2, -1, 2**31 - 1, 2**31, 2**63 - 1, 2**63, 10**400, 1e-320, 1e-15, 1e9, 1e38, 1e300, -1e300]
    ),
    st.integers(-3, 100),
    st.floats(),
    st.text(max_size=10),
    st.sampled_from([[], [[]], [[0, 0.5]], [[0, math.nan]], [[-1, 0.5]], [[5, 0.1], [0, 0.2]], [[0, "x"]], [0, [0]]]),
)
VALUES = st.one_of(PLAIN, st.dictionaries(st.text(max_size=5), PLAIN, max_size=2))
FEW = st.sampled_from([0, 1, 2, 3, 16, 64, -1, 2**31, 10**400, 0.5, math.nan, True, "x", [], {}])


def below(kind: inspect.Type) -> Iterator[tuple[tuple[str, ...], inspect.Type]]:
    """Yield every setting and section below one of this type; a section of any names has one."""
    parts: dict[str, inspect.Type] = {}
    if isinstance(kind, inspect.StructType):
        parts = {field.encode_name: field.type for field in kind.fields}
    elif isinstance(kind, inspect.DictType):
        names = kind.key_type.values if isinstance(kind.key_type, inspect.LiteralType) else ["constant"]
        parts = {str(name): kind.value_type for name in names}
    for name, part in parts.items():
        yield (name,), part
        yield from (((name, *rest), inner) for rest, inner in below(part))


SETTINGS = dict(below(inspect.type_info(Config)))
NONSENSE = st.tuples(st.sampled_from([(), ("teacher",), ("policy", "shadows")]), st.text(min_size=1, max_size=8))


def right(kind: inspect.Type) -> st.SearchStrategy[object]:
    """Draw what a setting of this type may be, the least and the most that is allowed above all."""
    match kind:
        case inspect.BoolType():
            return st.booleans()
        case inspect.LiteralType():
            return st.sampled_from(kind.values)
        case inspect.IntType(ge=int(least), le=int(most)):
            return st.sampled_from([least, most]) | st.integers(least, min(most, 1_000))
        case inspect.FloatType():
            low, high = kind.ge if kind.gt is None else kind.gt, kind.le if kind.lt is None else kind.lt
            within = st.floats(low, high, exclude_min=kind.gt is not None, exclude_max=kind.lt is not None)
            return within | st.sampled_from([end for end in (kind.ge, kind.le) if end is not None])
        case inspect.VarTupleType() | inspect.TupleType():
            bands = st.tuples(st.sampled_from([0, 1, 7, 2**31 - 1]), st.floats(0, 1))
            return st.lists(bands, max_size=3).map(sorted)
        case inspect.StrType():
            return st.text(min_size=1, max_size=10)
    return st.just({})


def value_of(setting: tuple[str, ...]) -> st.SearchStrategy[object]:
    if (name := ".".join(setting)) in GIVEN:
        return st.sampled_from(GIVEN[name])
    return FEW if setting[-1] in SMALL else st.one_of(right(SETTINGS[setting]), VALUES)


def put(section: Mapping[str, Any], setting: tuple[str, ...], value: object) -> dict[str, Any]:
    """Return the section with a setting replaced, whatever else is in its way."""
    first, *rest = setting
    below = section.get(first, {})
    return {**section, first: put(below if isinstance(below, dict) else {}, tuple(rest), value) if rest else value}


@st.composite
def changes(draw: st.DrawFn) -> dict[tuple[str, ...], object]:
    """Draw up to three settings, right or wrong, and now and then one that there is not."""
    chosen = draw(st.lists(st.sampled_from(sorted(SETTINGS)), min_size=1, max_size=3, unique=True))
    changed = {setting: draw(value_of(setting)) for setting in chosen}
    if draw(st.integers(0, 9)) == 0:
        section, name = draw(NONSENSE)
        changed[*section, name] = draw(PLAIN)
    return changed


@st.composite
def right_changes(draw: st.DrawFn) -> dict[tuple[str, ...], object]:
    """Draw a few settings that are right, each by itself."""
    free = [setting for setting in sorted(SETTINGS) if ".".join(setting) not in GIVEN and setting[-1] not in SMALL]
    chosen = draw(st.lists(st.sampled_from(free), min_size=1, max_size=4, unique=True))
    return {setting: draw(right(SETTINGS[setting])) for setting in chosen}


def toml(value: object) -> str:
    """Return a value as TOML has it, a section as an inline table."""
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "{" + ", ".join(f"{toml(name)} = {toml(part)}" for name, part in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(toml, value)) + "]"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case datetime() | date() | time():
            return value.isoformat()
    return str(value)  # nan and inf, too, are written so


def document(base: str, changed: Mapping[tuple[str, ...], object]) -> str:
    whole = tomllib.loads(base)
    for setting, value in changed.items():
        whole = put(whole, setting, value)
    return "".join(f"{toml(name)} = {toml(value)}\n" for name, value in whole.items())


def test_what_is_written_as_toml_reads_the_same() -> None:
    for base in (TINY, TOML):
        assert tomllib.loads(document(base, {})) == tomllib.loads(base)
    odd = {"a": [1, [True, -1e300]], "b.c\n\x7f": {"d": "é\0\"'"}, "e": date(2026, 11, 25), "f": time(1, 2)}
    assert tomllib.loads(document("", {(name,): value for name, value in odd.items()})) == odd


def test_every_number_has_a_least_and_a_most_so_that_none_is_infinite() -> None:
    numbers = {name: kind for name, kind in SETTINGS.items() if isinstance(kind, inspect.IntType | inspect.FloatType)}
    assert len(numbers) > 80
    for name, kind in numbers.items():
        assert (kind.ge is None) != (kind.gt is None), name
        assert (kind.le is None) != (kind.lt is None), name


class TestConfigs:
    @settings(SLOW, max_examples=60)
    @given(st.one_of(st.binary(max_size=60), st.text(max_size=40).map(str.encode), st.sampled_from([b"[" * 9_999])))
    def test_any_bytes_are_settings_or_clearly_refused(self, home: Path, content: bytes) -> None:
        (home / "config.toml").write_bytes(content)
        assert check(run("status")).exit_code in (0, 1)

    @settings(SLOW, max_examples=200)
    @given(changes())
    def test_any_settings_are_taken_or_named(self, home: Path, changed: dict[tuple[str, ...], object]) -> None:
        (home / "config.toml").write_text(document(TINY, changed))
        told = check(run("status"))
        assert told.exit_code in (0, 1)
        if told.exit_code == 1 and len(changed) == 1:
            ((*_, name),) = changed
            assert name in told.stderr or ".*" in told.stderr

    @settings(SLOW, max_examples=10)
    @given(st.sampled_from([TINY, TOML]), right_changes(), st.sampled_from([[], ["--claude"], ["--local"]]))
    def test_no_settings_that_are_taken_break_a_question_or_leave_a_home_that_cannot_be_read(
        self, homes: dict[str, Path], base: str, changed: dict[tuple[str, ...], object], options: list[str]
    ) -> None:
        with tempfile.TemporaryDirectory() as folder:
            home = shutil.copytree(homes[base], Path(folder) / "home")
            (home / "config.toml").write_text(document(base, changed))
            for command in (("status",), ("why",), ("ask", *options, LEARNT[0]), ("ask", *options, "who was Bach?")):
                if check(run(*command, "--home", str(home))).exit_code == 1:
                    break
            (home / "config.toml").write_text(base)
            for command in (("status",), ("why",)):
                assert check(run(*command, "--home", str(home))).exit_code == 0

    @settings(SLOW, max_examples=8)
    @given(right_changes())
    def test_no_settings_that_are_taken_break_a_replay(
        self, tmp_path: Path, changed: dict[tuple[str, ...], object]
    ) -> None:
        stream = tmp_path / "stream.jsonl"
        stream.write_text('{"query": "q", "reply": "r"}\n' * 2)
        check(replayed(stream, document(TINY, changed)))


def replayed(stream: Path, config: str) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir(mode=0o700)
        (home / "config.toml").write_text(config)
        return run("replay", str(stream), "--limit", "3", "--preset", "literal", "--home", str(home))


FIELDS = ("query", "reply", "id", "topic", "also", "tail", "")
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(HALF, max_size=10), st.just("\0"))
PARTS = st.recursive(LEAVES, lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=3), part))
ROW = {"query": "what is a monad?", "reply": "A monoid in the category of endofunctors."}
RAW = [
    b'{"query": "q", "query": "p", "reply": "r"}',
    b'{"query": "q", "reply": "r", "x": ' + b"[" * 9_999 + b"]" * 9_999 + b"}",
    b'{"query": "q", "reply": "r", "id": ' + b"9" * 9_999 + b"}",
    b'{"query": "\\ud800", "reply": "\\ud83d\\ude00"}',
    b'{"query": "\xed\xa0\x80", "reply": "r"}',
    b'{"query": "a\\u0000b", "reply": "\\u0000", "id": "\\n"}',
    b'{"query": "q", "reply": "r"} {}',
    *(b"", b" \t", b"\0", b"{", b"[]", b"null", b"\xff\xfe", b"\xef\xbb\xbf{}", b"{" * 9_999),
]


def line(row: Mapping[str, object]) -> bytes:
    """Return a row as JSON, with its half characters escaped, or nearly so: Python cannot write large numbers."""
    try:
        return json.dumps(row).encode()
    except ValueError:
        return b'{"query": "q", "reply": 1' + b"0" * 5_000 + b"}"


TEXTS = st.text(min_size=1, max_size=20).filter(str.strip)
GOOD = st.fixed_dictionaries({"query": TEXTS, "reply": TEXTS}, optional={"topic": TEXTS, "tail": PARTS}).map(line)
LINES = st.one_of(
    st.just(line(ROW)),
    st.sampled_from(RAW),
    st.dictionaries(st.sampled_from(FIELDS), PARTS).map(lambda row: line({**ROW, **row})),
    st.dictionaries(st.sampled_from(FIELDS), PARTS).map(line),
    st.binary(max_size=30),
)


class TestStreams:
    @settings(SLOW, max_examples=30)
    @given(
        st.lists(GOOD, max_size=3) | st.lists(LINES, max_size=4),
        st.sampled_from([b"\n", b"\r\n", b"\n\n"]),
        st.sampled_from([b"", b"\n", b"\0"]),
        st.sampled_from([b"", b"\xef\xbb\xbf", b"\xff\xfe"]),
    )
    def test_any_file_is_run_or_its_line_is_named(
        self, tmp_path: Path, lines: list[bytes], newline: bytes, end: bytes, mark: bytes
    ) -> None:
        stream = tmp_path / "stream.jsonl"
        stream.write_bytes(mark + newline.join(lines) + end)
        told = check(replayed(stream, TINY))
        assert told.exit_code in (0, 1)
        if told.exit_code == 1:
            assert any(said in told.stderr for said in ("line ", "has no rows", "two different rows have the id"))

    def test_a_good_file_with_a_mark_and_foreign_newlines_is_run(self, tmp_path: Path) -> None:
        stream = tmp_path / "stream.jsonl"
        stream.write_bytes(b"\xef\xbb\xbf" + line(ROW) + b"\r\n\r\n" + line({**ROW, "tail": [1]}))
        assert check(replayed(stream, TINY)).exit_code == 0
