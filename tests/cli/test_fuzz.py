"""Random arguments, input, settings and streams give a result, or an error with a hint, but never a traceback."""

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
SLOW = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


pytestmark = [pytest.mark.settings(TINY_TOML), pytest.mark.slow]


def check(result: Result) -> Result:
    """Check that a command succeeded, or failed with one error and one hint; return its result."""
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code in range(5)
    assert "Traceback" not in result.output
    if result.exit_code == 1:
        lines = result.stderr.splitlines()
        for beginning in ("Error: ", "Hint: "):
            assert sum(line.startswith(beginning) for line in lines) == 1, result.stderr
    return result


CHARACTERS = st.characters(exclude_categories=())  # with lone surrogates, which invalid UTF-8 in arguments becomes
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
WORDS = st.one_of(st.text(CHARACTERS, max_size=40), ODD)


@pytest.fixture
def homes(tmp_path: Path, claude: Loopback) -> dict[str, Path]:
    """Return two homes with questions in them, by the text of their config.toml."""
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
    def test_an_unusable_home_path_is_refused(self, home: str, monkeypatch: pytest.MonkeyPatch) -> None:
        assert check(run("status", "--home", home)).exit_code == 2
        assert check(run("--home", home, "status")).exit_code == 2
        monkeypatch.setenv("SHAMMAH_HOME", home)
        result = check(run("status"))
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: SHAMMAH_HOME is not usable: ")

    def test_characters_that_the_output_encoding_lacks_are_escaped(self, home: Path, claude: Loopback) -> None:
        claude.default_to(reply("Drei Öre."))
        result = check(CliRunner(charset="ascii").invoke(main, ["ask", "--no-store", "hello"]))
        assert (result.exit_code, result.stdout) == (0, "Drei \\xd6re.\n")

    def test_control_characters_in_the_model_name_are_removed(self, home: Path, claude: Loopback) -> None:
        claude.default_to(reply("Hello.", model="m\x1b[2J\nError: x"))
        result = check(run("ask", "--no-store", "hello"))
        assert result.stderr.splitlines() == [
            "Claude (unpriced)",
            "Nothing was learnt: m[2J Error: x replied, not the model that was asked.",
        ]

    @settings(SLOW, max_examples=20)
    @given(query=WORDS, system=st.none() | WORDS, model=st.none() | WORDS)
    def test_any_argument_is_answered_or_clearly_refused(
        self, home: Path, claude: Loopback, query: str, system: str | None, model: str | None
    ) -> None:
        options = [
            part for name, value in (("--system", system), ("--model", model)) if value for part in (name, value)
        ]
        result = check(run("ask", "--no-store", *options, "--", query, stdin=""))
        assert result.exit_code in (0, 1) or "could not be replaced by a stand-in" in result.stderr
        check(run("ask", "--no-store", query, stdin=""))  # without `--`: it may be read as an option

    @settings(SLOW, max_examples=10)
    @given(st.one_of(st.binary(max_size=80), WORDS.map(lambda text: text.encode("utf-8", "surrogatepass"))))
    def test_any_bytes_on_standard_input_are_answered_or_clearly_refused_and_why_explains_them(
        self, homes: dict[str, Path], content: bytes
    ) -> None:
        home = ("--home", str(homes[TOML]))
        result = check(run("ask", *home, stdin=content))
        assert result.exit_code in (0, 1)
        for command in (("status",), ("why",), ("why", "--json")):
            assert check(run(*command, *home)).exit_code == 0

    @settings(SLOW, max_examples=8)
    @given(WORDS.filter(lambda text: text.isprintable() and text.isascii()) | st.text(max_size=40))
    @example(";")
    def test_any_answer_is_shown_and_learnt(self, homes: dict[str, Path], claude: Loopback, answer: str) -> None:
        claude.default_to(reply(answer))
        home = ("--home", str(homes[TOML]))
        result = check(run("ask", *home, "--claude", LEARNT[0]))
        assert result.exit_code == (0 if answer.strip() else 4)
        check(run("ask", *home, LEARNT[0]))  # now a draft is compared with this answer
        assert check(run("why", *home)).exit_code == 0


SMALL = ("vocab", "width", "layers", "heads", "hidden", "max_tokens", "max_draft_tokens", "max_retries")
FIXED = {  # other values would download something, or train the real decoder
    "preset": ("literal", "", "nonsense", 3, [], {}),
    "generator": ("scratch", "recall", "cloud", "", 3, []),
    "embedder": ("", "/", "/nowhere", "~no-such-user/x", "\0", 3),
    "lora.model": ("", "/nowhere", "~no-such-user/x", "\0", 3),
    "judge.local": ("", "/nowhere", "~no-such-user/x", "\0", 3),
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
SMALL_VALUES = st.sampled_from([0, 1, 2, 3, 16, 64, -1, 2**31, 10**400, 0.5, math.nan, True, "x", [], {}])


def below(kind: inspect.Type) -> Iterator[tuple[tuple[str, ...], inspect.Type]]:
    """Yield the path and type of every setting and section in a section; one with free names gets one example."""
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


def valid_values(kind: inspect.Type) -> st.SearchStrategy[object]:
    """Draw a valid value for a setting of this type, often the smallest or the largest."""
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
    if (name := ".".join(setting)) in FIXED:
        return st.sampled_from(FIXED[name])
    return SMALL_VALUES if setting[-1] in SMALL else st.one_of(valid_values(SETTINGS[setting]), VALUES)


def put(section: Mapping[str, Any], setting: tuple[str, ...], value: object) -> dict[str, Any]:
    """Return the section with one setting replaced; a value where a section should be is replaced too."""
    first, *rest = setting
    below = section.get(first, {})
    return {**section, first: put(below if isinstance(below, dict) else {}, tuple(rest), value) if rest else value}


@st.composite
def changes(draw: st.DrawFn) -> dict[tuple[str, ...], object]:
    """Draw up to three settings with valid or invalid values, and sometimes a setting that does not exist."""
    chosen = draw(st.lists(st.sampled_from(sorted(SETTINGS)), min_size=1, max_size=3, unique=True))
    changed = {setting: draw(value_of(setting)) for setting in chosen}
    if draw(st.integers(0, 9)) == 0:
        section, name = draw(NONSENSE)
        changed[*section, name] = draw(PLAIN)
    return changed


@st.composite
def valid_changes(draw: st.DrawFn) -> dict[tuple[str, ...], object]:
    """Draw up to four settings with values that are each valid by themselves."""
    free = [setting for setting in sorted(SETTINGS) if ".".join(setting) not in FIXED and setting[-1] not in SMALL]
    chosen = draw(st.lists(st.sampled_from(free), min_size=1, max_size=4, unique=True))
    return {setting: draw(valid_values(SETTINGS[setting])) for setting in chosen}


def toml(value: object) -> str:
    """Return a value in TOML, a section as an inline table."""
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
    return str(value)  # also right for nan and inf


def document(base: str, changed: Mapping[tuple[str, ...], object]) -> str:
    """Return the TOML document with some settings changed."""
    whole = tomllib.loads(base)
    for setting, value in changed.items():
        whole = put(whole, setting, value)
    return "".join(f"{toml(name)} = {toml(value)}\n" for name, value in whole.items())


def test_written_toml_is_read_back_unchanged() -> None:
    for base in (TINY, TOML):
        assert tomllib.loads(document(base, {})) == tomllib.loads(base)
    odd = {"a": [1, [True, -1e300]], "b.c\n\x7f": {"d": "é\0\"'"}, "e": date(2026, 11, 25), "f": time(1, 2)}
    assert tomllib.loads(document("", {(name,): value for name, value in odd.items()})) == odd


def test_every_number_has_a_lower_and_an_upper_limit() -> None:
    numbers = {name: kind for name, kind in SETTINGS.items() if isinstance(kind, inspect.IntType | inspect.FloatType)}
    assert len(numbers) > 80
    for name, kind in numbers.items():
        assert (kind.ge is None) != (kind.gt is None), name
        assert (kind.le is None) != (kind.lt is None), name


class TestConfigs:
    @settings(SLOW, max_examples=60)
    @given(st.one_of(st.binary(max_size=60), st.text(max_size=40).map(str.encode), st.sampled_from([b"[" * 9_999])))
    def test_any_bytes_in_config_toml_are_accepted_or_clearly_refused(self, home: Path, content: bytes) -> None:
        (home / "config.toml").write_bytes(content)
        assert check(run("status")).exit_code in (0, 1)

    @settings(SLOW, max_examples=200)
    @example({("teacher", "prices", "constant", "input"): 0.0})
    @given(changes())
    def test_any_settings_are_accepted_or_named_in_the_error(
        self, home: Path, changed: dict[tuple[str, ...], object]
    ) -> None:
        (home / "config.toml").write_text(document(TINY, changed))
        result = check(run("status"))
        assert result.exit_code in (0, 1)
        if result.exit_code == 1 and len(changed) == 1:
            ((*section, name),) = changed
            is_incomplete = f"{'.'.join(section)} has no " in result.stderr  # a price without its other half
            assert name in result.stderr or is_incomplete

    @settings(SLOW, max_examples=10)
    @given(st.sampled_from([TINY, TOML]), valid_changes(), st.sampled_from([[], ["--claude"], ["--local"]]))
    def test_accepted_settings_never_break_a_question_or_make_the_home_unreadable(
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
    @given(valid_changes())
    def test_accepted_settings_never_break_a_replay(
        self, tmp_path: Path, changed: dict[tuple[str, ...], object]
    ) -> None:
        stream = tmp_path / "stream.jsonl"
        stream.write_text('{"query": "q", "reply": "r"}\n' * 2)
        check(replay_stream(stream, document(TINY, changed)))


def replay_stream(stream: Path, config: str) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir(mode=0o700)
        (home / "config.toml").write_text(config)
        return run("replay", str(stream), "--limit", "3", "--preset", "literal", "--home", str(home))


FIELDS = ("query", "reply", "id", "topic", "also", "tail", "")
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(CHARACTERS, max_size=10), st.just("\0")
)
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
    """Return a row as JSON, lone surrogates escaped; or a fixed line if Python cannot write its large numbers."""
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
    def test_any_file_runs_or_the_error_names_its_line(
        self, tmp_path: Path, lines: list[bytes], newline: bytes, end: bytes, mark: bytes
    ) -> None:
        stream = tmp_path / "stream.jsonl"
        stream.write_bytes(mark + newline.join(lines) + end)
        result = check(replay_stream(stream, TINY))
        assert result.exit_code in (0, 1)
        if result.exit_code == 1:
            assert any(
                message in result.stderr for message in ("line ", "has no rows", "two different rows have the id")
            )

    def test_a_file_with_a_byte_order_mark_and_windows_newlines_runs(self, tmp_path: Path) -> None:
        stream = tmp_path / "stream.jsonl"
        stream.write_bytes(b"\xef\xbb\xbf" + line(ROW) + b"\r\n\r\n" + line({**ROW, "tail": [1]}))
        assert check(replay_stream(stream, TINY)).exit_code == 0
