"""What `status` says of homes of every age, and the page of `report`."""

import re
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from rich.console import Console

from shammah_mlx.display.charts import Band, Chart, Series, bar_chart, line_chart, round_up, ticks
from shammah_mlx.display.page import page
from shammah_mlx.display.report import score
from shammah_mlx.display.standing import sparkline, status_table
from shammah_mlx.events import Draft, Interaction, Query, Reply, Request, Route, ScoredDraft
from shammah_mlx.home.curves import BadPoint, Curves, read_curves
from shammah_mlx.home.journal import Journal
from shammah_mlx.home.ledger import Block, Money
from shammah_mlx.home.overview import BadRate, JudgeOverview, Overview, read_overview
from shammah_mlx.home.progress import History, Lacking, MoneyOverview, block_size
from shammah_mlx.presets import PRESETS
from tests.cli.test_default import LEARNT, learn_all
from tests.command import Shammah
from tests.loopback import Loopback
from tests.served import BOLD

CONFIG = PRESETS["default"]


@pytest.fixture
def empty(tmp_path: Path) -> Overview:
    return read_overview(tmp_path / "none", CONFIG)


def shown(overview: Overview, encoding: str = "utf-8", **changed: object) -> str:
    out = StringIO()
    table = status_table(Path("/home"), msgspec.structs.replace(overview, **changed), [], encoding)
    Console(file=out, width=400).print(table)
    return "\n".join(re.sub(r"  +", " ", line).strip() for line in out.getvalue().splitlines())


def test_a_beginner_reads_what_is_missing(empty: Overview) -> None:
    young = shown(empty, seen=13, lacking=Lacking(37, 12, 60))
    assert "new wordings answered here after 37 more questions and 48 more comparisons with Claude's answers" in young
    assert "(12 of 60 so far); a repeat, or what Claude checked, may be sooner" in young
    assert "after 1 more question and 1 more comparison with" in shown(empty, lacking=Lacking(1, 59, 60))
    assert "new wordings answered here after 48 more comparisons" in shown(empty, lacking=Lacking(0, 12, 60))
    assert "new wordings answered here after 1 more question\n" in shown(empty, lacking=Lacking(1, 0, 0))
    unsure = shown(empty, lacking=Lacking(0, 80, 60), thresholds={"repeat": 0.9, "recall": None})
    assert "new wordings no draft of such a question was sure enough so far; a repeat" in unsure
    sure = shown(empty, lacking=Lacking(0, 80, 60), thresholds={"repeat": 0.9, "recall": 0.8})
    assert "new wordings answered here if a draft is sure enough\n" in sure


def test_an_empty_home_says_by_the_settings_what_is_missing(empty: Overview) -> None:
    assert empty.lacking == Lacking(50, 0, 60)
    found = shown(empty)
    assert "nothing asked yet" in found
    assert "questions none asked yet\n" in found
    assert "sure enough" not in found


def test_what_was_imported_is_not_counted_as_asked(empty: Overview) -> None:
    young = shown(empty, seen=31, journalled=28, trained=31, imported=3)
    assert "questions 28 asked and 3 imported, all learnt" in young
    behind = shown(empty, seen=31, journalled=28, trained=29, pending=2, imported=3)
    assert "questions 28 asked and 3 imported; 29 learnt, 2 not yet: the next question or `shammah learn`" in behind


def test_an_audit_explains_why_claude_was_called_for_what_was_answered_here(empty: Overview) -> None:
    found = shown(empty, history=History(10, [Block(9, 9, 1)]))
    assert "answered here 1 of 9 questions\n" in found
    assert "Claude called for 9 of 9 questions, 1 of them only to check a local answer" in found
    assert "for 1 of 1 question\n" in shown(empty, history=History(10, [Block(1, 1, 0)]))


@pytest.mark.parametrize(
    ("rate", "served", "expected"),
    [
        (BadRate(0.0, 0.0, 0.74, 2), 31, "too early to tell: 2 audits for 31 local answers"),
        (BadRate(0.0, 0.0, 1.0, 1), 1, "too early to tell: 1 audit for 1 local answer"),
        (BadRate(0.021, 0.004, 0.06, 40), 31, "about 2.1%; 0.4% to 6.0% of 31 served"),
        (BadRate(0.0, 0.0, 0.0, 1), 1, "none of 1: each was audited"),
        (BadRate(0.25, 0.25, 0.25, 4), 4, "1 of 4: each was audited"),
        (BadRate(None, None, None, 0), 0, "none: nothing was answered here yet"),
    ],
)
def test_an_interval_is_shown_only_where_it_says_something(
    empty: Overview, rate: BadRate, served: int, expected: str
) -> None:
    found = shown(empty, bad_rate=rate, served_local=served)
    assert f"bad local answers {expected}" in found
    assert "74" not in found
    assert "0.0% to 0.0%" not in found
    assert not re.search(r"; covered", found)


def test_a_missed_audit_is_named_in_place_of_an_estimate_that_it_distorts(empty: Overview) -> None:
    rate = BadRate(0.343, 0.0, 0.2, 2)
    found = shown(empty, bad_rate=rate, served_local=31, audits_missed=1, open_audits=1, covered=False)
    assert "bad local answers not known while 1 audit is due: until then it counts as bad" in found
    assert "34.3" not in found
    assert "1 is due, so answers are not covered until it is made" in found


def test_an_audit_that_was_given_up_is_not_called_due(empty: Overview) -> None:
    """It counts as bad for good, so the estimate with it stands."""
    rate = BadRate(0.05, 0.01, 0.2, 40)
    found = shown(empty, bad_rate=rate, served_local=200, audits_missed=1, covered=True)
    assert "bad local answers about 5.0%; 1.0% to 20.0% of 200" in found
    assert "1 was given up, which counts as bad" in found
    assert "due" not in found


def test_while_a_late_audit_is_not_learnt_yet_none_is_said_to_be_given_up(empty: Overview) -> None:
    rate = BadRate(0.05, 0.01, 0.2, 40)
    assert "given up" not in shown(empty, bad_rate=rate, served_local=200, audits_missed=1, pending=1, covered=True)


def test_an_open_audit_and_one_that_was_given_up_are_counted_apart(empty: Overview) -> None:
    rate = BadRate(0.343, 0.0, 0.2, 2)
    found = shown(empty, bad_rate=rate, served_local=31, audits_missed=3, open_audits=1, covered=False)
    assert "bad local answers not known while 1 audit is due" in found
    assert "2 were given up, which counts as bad; 1 is due, so answers are not covered until it" in found
    found = shown(empty, bad_rate=rate, served_local=31, audits_missed=3, open_audits=2, covered=False)
    assert "not known while 2 audits are due" in found
    assert "1 was given up, which counts as bad; 2 are due, so answers are not covered until they" in found


def test_where_nothing_is_promised_an_audit_is_given_up_all_the_same(empty: Overview) -> None:
    rate = BadRate(0.05, 0.01, 0.2, 40)
    found = shown(empty, bad_rate=rate, served_local=200, audits_missed=1, covered=None)
    assert "bad local answers about 5.0%; 1.0% to 20.0% of 200" in found
    assert "1 was given up, which counts as bad" in found
    assert "due" not in found
    found = shown(empty, bad_rate=rate, served_local=200, audits_missed=1, open_audits=1, covered=None)
    assert "not known while 1 audit is due" in found
    assert "1 is due: by the next question that goes to Claude" in found

    def is_drawn(**changed: object) -> bool:
        overview = msgspec.structs.replace(empty, bad_rate=rate, served_local=200, audits_missed=1, **changed)
        curves = Curves(10, [Block(10, 5, 5)] * 8, [BadPoint(80, 0.05, 0.01, 0.2)], [], {}, {})
        charts = _Page(page(overview, curves, CONFIG, 0.0)).charts
        return "Bad answers among those served here" in [chart[0].text for chart in charts]

    assert is_drawn(covered=None)
    assert is_drawn(covered=True)
    assert not is_drawn(covered=None, open_audits=1)
    assert not is_drawn(covered=False, open_audits=1)


@pytest.mark.parametrize(("runs", "expected"), [(False, "does not run: an answer from memory takes"), (True, "runs")])
def test_a_home_without_a_service_says_what_that_costs(empty: Overview, runs: bool, expected: str) -> None:
    found = shown(empty, service=runs)
    assert f"service {expected}" in found
    assert ("`shammah service install`" in found) is not runs


def test_no_line_counts_one_thing_as_many(empty: Overview) -> None:
    found = shown(
        empty,
        spent_usd=0.1,
        unpriced_calls=2,
        spread=0.0,
        repeats=1,
        judge=JudgeOverview(1, 1, 0, 0.001, 1),
        bad_rate=BadRate(0.0, 0.0, 1.0, 1),
        served_local=1,
        money=MoneyOverview(saved_usd=0.1, saved_calls=1, passed_on=1, own_account_calls=1),
    )
    assert not re.search(r"\b1 \w+s\b(?! made)", re.sub(r"1 (is|was)\b", "", found)), found


def test_no_threshold_is_shown_as_1(empty: Overview) -> None:
    found = shown(empty, accept_threshold=0.5, thresholds={"repeat": 0.99996, "recall": None})
    assert "repeat: p_accept above 0.999960; recall (from a similar question): no score is enough yet" in found
    assert "1.000" not in found
    assert [score(value) for value in (0.5, 0.9994, 0.99996)] == ["0.500", "0.999", "0.999960"]


def test_a_recorded_stream_is_not_said_to_have_cost_money(empty: Overview) -> None:
    found = shown(empty, spent_usd=0.3, money=MoneyOverview(recorded=True, saved_usd=0.1, saved_calls=7))
    assert "would have cost $0.3000" in found
    assert "would have saved about $0.1000" in found
    assert not re.search(r"^(spent|saved)", found, re.MULTILINE)


def test_a_paid_call_without_a_verdict_is_counted(empty: Overview) -> None:
    assert "judge a cheap Claude model that checks drafts; not asked yet" in shown(empty)
    found = shown(empty, judge=JudgeOverview(0, 0, 0, 0.0012, 1))
    assert (
        "judge 0 verdicts, $0.0012 with 1 more call that brought none; none compared with a whole answer yet" in found
    )


def test_money_is_listed_by_month_and_model_where_there_is_more_than_one(empty: Overview) -> None:
    def line(month: str, model: str, spent: float, unpriced: int = 0, saved: float | None = None) -> Money:
        return Money(month, model, 1, 0, 0, spent, unpriced, 0, int(saved is not None), saved)

    one = line("2026-11", "claude-haiku-4-5", 0.5, saved=0.25)
    assert "claude-haiku" not in shown(empty, money=MoneyOverview(months=[one]))
    months = [line(f"2026-{month:02}", "claude-sonnet-5-5", 1.5) for month in (7, 8, 9, 10)]
    found = shown(empty, money=MoneyOverview(months=[*months, one, line("2026-11", "", 0.0, 1)]))
    assert "2026-11 $0.5000, saved about $0.2500: claude-haiku-4-5\n2026-11 unpriced: model not known" in found
    assert "2026-09 $1.50: claude-sonnet-5-5" in found
    assert "2026-08" not in found
    assert "before see `shammah report`" in found


def test_what_is_missing_of_the_models_is_named(empty: Overview) -> None:
    assert "state nothing stored yet" in shown(empty)
    assert "state sound" in shown(empty, journalled=1)
    assert "state damaged: router.safetensors missing; `shammah rebuild`" in shown(
        empty, missing_files=["router.safetensors"]
    )


def test_the_history_is_drawn_where_the_terminal_can_show_it(empty: Overview) -> None:
    history = History(50, [Block(50, 50, 0), Block(50, 25, 26)])
    assert "here ▁▅ each bar is 50 questions" in shown(empty, history=history)
    assert "each bar" not in shown(empty, "ascii", history=history)
    assert sparkline([0.0, 1.0]) == "▁█"


def test_blocks_are_round_and_fit() -> None:
    assert [block_size(queries, 24) for queries in (0, 240, 241, 1_200, 1_000_000)] == [10, 10, 20, 50, 50_000]


class _Page(HTMLParser):
    """What a page loads, and the markup of its charts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads = [
            *re.findall(r"(?:src|href|srcset|action)\s*=", text), *re.findall(r"url\(|@import|<script|<link", text)
        ]  # fmt: skip
        self.charts = [ElementTree.fromstring(svg) for svg in re.findall(r'<svg class="chart".*?</svg>', text)]
        self.feed(text)


def test_the_page_of_an_empty_home_says_that_there_is_nothing_to_draw(empty: Overview) -> None:
    text = page(empty, Curves(1, [], [], [], {}, {}), CONFIG, 0.0)
    assert "No question is stored." in text
    assert _Page(text).charts == []


def test_names_from_outside_cannot_become_markup(empty: Overview, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    evil = '<img src=x onerror="alert(1)">'
    journal = Journal(tmp_path / "home" / "journal.db")
    request = Request(1, 0, Query("secret question", model=evil, at=1e9), None, 0.9, 0.1, {})
    journal.write(Interaction.forwarded(request, Route({}, None), Reply("ls", evil, "end_turn", cost_usd=0.1)))
    journal.close()
    home = tmp_path / "home"
    text = page(read_overview(home, CONFIG), read_curves(home, CONFIG), CONFIG, 0.0)
    assert "<img" not in text
    assert "&lt;img" in text
    assert "secret question" not in text


def test_curves_show_what_audits_told_so_far(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    draft = ScoredDraft(Draft("ls", "recall", entry=1), 0.9)
    for number in range(30):
        request = Request(1, 100, Query(f"q{number}", model="m", at=1e9), None, 0.9, 0.5, {})
        journal.write(Interaction.approved(request, Route({"recall": 0.9}, 0.5, ("recall",)), (draft,), 0.5))
    journal.close()
    curves = read_curves(tmp_path, CONFIG)
    assert [point.queries for point in curves.bad] == [10, 20, 30]
    assert [point.estimate for point in curves.bad] == [0.0] * 3
    assert curves.bad[-1].high < curves.bad[0].high <= 1.0
    assert curves.history == [Block(10, 0, 10)] * 3


def test_a_line_ends_where_its_last_value_is() -> None:
    series = (Series("one", [(0.0, 0.0), (10.0, 1.0), (20.0, 5.0)], 0),)
    chart = Chart(name="A <b>", says="s", series=series, x_label="x", show=str, highest=2.0, furthest=20.0)
    drawn = line_chart(chart)
    assert 'd="M56.0 210.0L242.0 111.0L428.0 12.0"' in drawn  # what is above the axis is cut off
    assert "A &lt;b&gt;" in drawn


def test_the_labels_of_an_axis_are_made_once_a_chart_not_once_a_point() -> None:
    shown: list[float] = []

    def show(value: float) -> str:
        shown.append(value)
        return f"{value:.0%}"

    for points in ([(0.0, 0.5)], [(float(x), 0.5) for x in range(300)]):
        shown.clear()
        series = (Series("one", points, 0), Series("two", points, 1))
        band = Band("interval", [(x, 0.0, y) for x, y in points])
        chart = Chart(name="A", says="s", series=series, x_label="x", show=show, highest=1.0, furthest=300.0, band=band)
        line_chart(chart)
        bar_chart(chart, [str(x) for x, _ in points])
        assert len(shown) == 2 * 2 * len(ticks(1.0))  # of two charts: to measure the labels, and to draw them


@pytest.mark.parametrize("usd", [0.00003, 0.0022, 0.3, 12345.0])
def test_the_labels_of_an_axis_are_not_cut_off(empty: Overview, usd: float) -> None:
    """On a phone letters have 16 units and a digit is about 0.61 of that wide."""
    months = [Money("2026-11", "m", 1, 0, 0, usd, 0, 0, 0, None)]
    overview = msgspec.structs.replace(empty, money=MoneyOverview(months=months))
    (chart,) = _Page(page(overview, Curves(1, [], [], [], {}, {}), CONFIG, 0.0)).charts
    labels = [text for text in chart.iter("text") if text.get("text-anchor") == "end" and (text.text or "")[0] == "$"]
    assert len(labels) > 2
    for label in labels:
        assert float(label.get("x", 0)) >= 9.76 * len(label.text or ""), label.text
        assert "e" not in (label.text or "")


def test_bad_answers_are_drawn_once_their_interval_says_something(empty: Overview) -> None:
    def drawn(last: BadPoint, audits: int) -> list[str]:
        rate = BadRate(last.estimate, last.low, last.high, audits)
        overview = msgspec.structs.replace(empty, bad_rate=rate, served_local=40)
        curves = Curves(10, [Block(10, 5, 5)] * 8, [last], [], {}, {})
        text = page(overview, curves, CONFIG, 0.0)
        assert "0.0% to 100.0%" not in text
        return [text, *(chart[0].text or "" for chart in _Page(text).charts)]

    name = "Bad answers among those served here"
    early = drawn(BadPoint(80, 0.0, 0.0, 1.0), 1)
    assert name not in early
    assert "So far: too early to tell: 1 audit for 40 local answers." in early[0]
    later = drawn(BadPoint(80, 0.01, 0.0, 0.1), 30)
    assert name in later
    assert "So far: about 1.0%; 0.0% to 10.0% of 40 served" in later[0]


def test_every_figure_says_what_is_good(empty: Overview) -> None:
    curves = Curves(10, [Block(10, 5, 5)], [], [(10, 0.4)], {"router": [(10, 0.3)]}, {"router": [(10, 0.001)]})
    says = re.findall(r"<figcaption>(.*?)</figcaption>", page(empty, curves, CONFIG, 0.0))
    assert len(says) == 6
    good = ("lower is better", "good is below what is allowed", "Spent and saved", "Lower is better", "lower is better")
    for caption, expected in zip(says, (*good, "no height is better"), strict=True):
        assert expected in caption


def test_the_numbers_on_top_count_what_was_imported_apart(empty: Overview) -> None:
    overview = msgspec.structs.replace(
        empty,
        trained=31,
        imported=3,
        history=History(10, [Block(28, 27, 1)]),
        bad_rate=BadRate(0.0, 0.0, 1.0, 1),
        money=MoneyOverview(saved_usd=0.1, saved_calls=1),
    )
    text = page(overview, Curves(1, [], [], [], {}, {}), CONFIG, 0.0)
    assert "<dd>28<small>and 3 imported; all learnt</small>" in text
    assert "by estimate: 1 answer without a call" in text
    assert "1 answers" not in text
    assert "1 audits" not in text


def test_ticks_and_ends_of_axes_are_round() -> None:
    assert ticks(512.0) == [0.0, 200.0, 400.0]
    assert ticks(1.0) == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert [round_up(value) for value in (0.0, 0.29, 0.0011, 7.0)] == pytest.approx([1.0, 0.3, 0.0012, 8.0])


@pytest.mark.settings(BOLD)
def test_the_report_is_one_file_that_loads_nothing_and_holds_no_question(
    shammah: Shammah, claude: Loopback, home: Path, tmp_path: Path
) -> None:
    learn_all(shammah)
    shammah("ask", "which moons has Mars?")
    done = shammah("report")
    assert (done.exit_code, done.stdout) == (0, f"Written: {home / 'report.html'}\n")
    text = (home / "report.html").read_text("utf-8")
    found = _Page(text)
    assert found.loads == []
    assert "default-src 'none'" in text
    assert not [question for question in LEARNT if question in text]
    for chart in found.charts:
        kinds = [child.tag for child in chart][:2]
        assert kinds == ["title", "desc"]
        assert all((child.text or "").strip() for child in list(chart)[:2])
    names = [chart[0].text for chart in found.charts]
    assert names[0] == "Who answered"
    assert {"Money", "Losses", "Learning rates"} <= set(names)
    assert shammah("report", "--output", "-").stdout.startswith("<!DOCTYPE html>")
    assert shammah("report", "--output", str(tmp_path / "mine.html")).exit_code == 0
    assert (tmp_path / "mine.html").exists()


def test_a_machine_without_a_program_to_open_the_page_says_so(
    shammah: Shammah, claude: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shammah("ask", "which moons has Mars?")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "No program to open it was found" in shammah("report", "--open").stderr


def test_nothing_is_written_where_nothing_was_asked(shammah: Shammah, tmp_path: Path) -> None:
    failed = shammah("report", "--home", str(tmp_path / "fresh"))
    assert failed.exit_code == 1
    assert "nothing was asked yet" in failed.stderr
    assert not (tmp_path / "fresh").exists()
