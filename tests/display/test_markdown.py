"""Markdown on a terminal: how it looks, and that its pieces may come cut anywhere."""

import itertools
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.display.inline import Look, Span, read_spans
from shammah_mlx.display.markdown import Renderer, text_width

MARKS = "!*_`[]()\\#>|~-+1.: \n"
TEXTS = st.text(st.sampled_from(f"{MARKS}ab日é"), max_size=60)
ANSI = re.compile(r"\x1b\[[\d;]*m")


def render(*pieces: str, columns: int = 40, styles: bool = True, is_unicode: bool = True) -> str:
    renderer = Renderer(lambda: columns, Look(styles, is_unicode))
    return "".join(map(renderer.feed, pieces)) + renderer.finish()


def plain(*pieces: str, columns: int = 40) -> str:
    return ANSI.sub("", render(*pieces, columns=columns))


@pytest.mark.parametrize(
    ("line", "spans"),
    [
        ("a **b c** d", [Span("a "), Span("b c", ("bold",)), Span(" d")]),
        ("*a* and ***b***", [Span("a", ("italic",)), Span(" and "), Span("b", ("bold", "italic"))]),
        ("**a `b` c**", [Span("a ", ("bold",)), Span("b", ("bold", "code")), Span(" c", ("bold",))]),
        ("`a * b` `` ` ``", [Span("a * b", ("code",)), Span(" "), Span("`", ("code",))]),
        ("[text](http://x) [y](y)", [Span("text", ("link",)), Span(" (http://x)"), Span(" "), Span("y", ("link",))]),
        (
            "see ![a cat](http://x) ![](y)!",
            [
                *(Span("see "), Span("image: a cat", ("link",)), Span(" (http://x)"), Span(" ")),
                *(Span("image", ("link",)), Span(" (y)"), Span("!")),
            ],
        ),
        (r"\*a\*", [Span("*"), Span("a"), Span("*")]),
    ],
)
def test_marks_inside_a_line_become_styles(line: str, spans: list[Span]) -> None:
    assert read_spans(line) == (spans, len(line))


@pytest.mark.parametrize(
    "line",
    ["2 * 3 * 4", "def f(*args, **kwargs)", "snake_case_name", "__init__", "an open **mark", "a ` b", "x[0] and [1]"],
)
def test_what_is_no_mark_stays(line: str) -> None:
    assert plain(line) == line + "\n"


def test_blocks_have_their_looks() -> None:
    text = "# Title\n\n- one\n* two\n  1. three\n> said\n\n---\n```sh\nls *.py # **not bold**\n```\nend"
    assert plain(text) == (
        "Title\n\n• one\n• two\n  1. three\n│ said\n\n" + "─" * 39 + "\nls *.py # **not bold**\nend\n"
    )
    assert "\x1b[36mls *.py # **not bold**\x1b[0m" in render(text)


@pytest.mark.parametrize("begun", [" " * 20_000, "- " * 10_000, "#" * 20_000, "1." + " " * 20_000, "-" + " " * 20_000])
def test_a_line_that_begins_oddly_takes_no_time(begun: str) -> None:
    since = time.process_time()
    render(begun, "x")
    render(begun + "x")
    assert time.process_time() - since < 1.0


def test_without_colour_there_is_no_escape_code_and_no_mark_is_lost() -> None:
    text = "## Head\nrun `ls -l` **now**, *please*\n```sh\nls\n```"
    assert render(text, styles=False) == "## Head\nrun `ls -l` **now**, *please*\n```sh\nls\n```\n"
    assert render("- a\n> b\n---", styles=False, is_unicode=False, columns=5) == "- a\n> b\n----\n"


def test_words_are_wrapped_below_the_first_word_of_an_item_and_code_is_not() -> None:
    item = "- an item with `a command --of several words` in it"
    assert plain(item, columns=24).splitlines() == ["• an item with", "  a command --of several words", "  in it"]
    long = "```\n" + "x" * 100 + "\n```"
    assert plain(long, columns=40) == "x" * 100 + "\n"


def test_scripts_without_spaces_are_wrapped_by_their_width() -> None:
    lines = plain("日本語" * 20, columns=21).splitlines()
    assert {text_width(line) for line in lines} == {20}
    assert "".join(lines) == "日本語" * 20


def test_a_table_keeps_to_the_width_of_the_terminal() -> None:
    rows = ["| Command | What it does |", "|---|---:|", "| `ls -l` | lists files, with " + "many words " * 5 + "|", ""]
    shown = plain("\n".join(rows), columns=40)
    assert max(map(text_width, shown.splitlines())) <= 40
    assert "ls -l" in shown
    assert "|" not in shown


def test_what_only_looks_like_a_table_stays() -> None:
    assert plain("| a | b\nand more") == "| a | b\nand more\n"


def test_a_word_is_shown_as_soon_as_it_is_whole() -> None:
    renderer = Renderer(lambda: 40, Look())
    assert renderer.feed("Run it n") == "Run it"
    assert renderer.feed("ow and **th") == " now and"
    assert renderer.feed("en** wait") == " \x1b[1mthen\x1b[0m"


@given(TEXTS, st.lists(st.integers(0, 60), max_size=8), st.booleans())
def test_it_does_not_matter_where_the_pieces_are_cut(text: str, cuts: list[int], styles: bool) -> None:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(places)]
    shown, whole = render(*pieces, styles=styles), render(text, styles=styles)
    assert ANSI.sub("", shown) == ANSI.sub("", whole)


@given(TEXTS)
def test_no_word_is_lost_and_every_style_ends(text: str) -> None:
    shown = render(text)
    assert shown.count("\x1b[0m") * 2 == shown.count("\x1b[")
    for letter in "ab日é":
        assert ANSI.sub("", shown).count(letter) == text.count(letter) or "](" in text or "`" in text or "~" in text
