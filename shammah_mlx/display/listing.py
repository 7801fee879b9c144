"""Format what was asked, and what an import found, as plain text. Pure formatting."""

from collections.abc import Iterator, Sequence

from shammah_mlx.display.console import one_line
from shammah_mlx.display.dates import local_date, local_time
from shammah_mlx.display.markdown import text_width
from shammah_mlx.display.money import in_dollars
from shammah_mlx.display.provenance import RECORDS
from shammah_mlx.home.importing import Sifted
from shammah_mlx.home.own_stream import OwnStream
from shammah_mlx.home.prequential import Result
from shammah_mlx.teacher.identity import host_at, origin
from shammah_mlx.teacher.keys import BASE_URL
from shammah_mlx.transcripts.jsonl import Line

MOST_PLACES = 5  # in a record that are named for one fault
NARROWEST = 20  # columns that a question gets at least


def log_lines(lines: Sequence[Line], width: int) -> Iterator[str]:
    """Yield one line a question: number, date, source, cost, and its beginning, in `width` columns.

    In a narrow terminal the question has a line of its own.
    """
    cells = [(f"#{line.number}", local_time(line.at), _source(line), in_dollars(line.cost_usd)) for line in lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line, row in zip(lines, cells, strict=True):
        start = "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True))
        if (room := width - len(start) - 2) >= NARROWEST:
            yield f"{start}  {_fit(_query(line), room)}"
        else:
            yield start.rstrip()
            yield f"  {_fit(_query(line), max(width - 2, NARROWEST))}"


def _fit(text: str, columns: int) -> str:
    """Return the beginning of a text on one line of so many columns; a wide character takes two."""
    plain = one_line(text, columns)
    if text_width(plain) <= columns:
        return plain
    kept, room = "", columns - 1
    for character in plain:
        room -= text_width(character)
        if room < 0:
            break
        kept += character
    return kept + "…"


def exchange(line: Line) -> str:
    """Return one question with everything that belongs to it, under headings."""
    parts = [f"#{line.number}  {local_time(line.at)}  {_source(line)}{_model(line)}  {in_dollars(line.cost_usd)}"]
    if line.system:
        parts.append(f"system prompt:\n{line.system}")
    for turn in line.history:
        parts.append(f"earlier question:\n{turn.query}\n\nanswer:\n{turn.reply}")
    parts.append(f"question:\n{line.query}")
    answer = line.reply if line.answer is None else line.answer
    parts.append(f"answer:\n{answer or '(none)'}")
    if line.answer is not None and line.reply is not None:
        parts.append(f"Claude's reply, which checked it:\n{line.reply}")
    if line.feedback:
        parts.append(f"you said: {line.feedback}" + (f", and answered:\n{line.own_answer}" if line.own_answer else ""))
    return "\n\n".join(parts) + "\n"


def _model(line: Line) -> str:
    return f" ({line.model})" if line.model and line.source == "claude" else ""


def _source(line: Line) -> str:
    if line.imported_from:
        return f"from {line.imported_from}"
    return f"{line.source}, archived" if line.archived else line.source or ""


def _query(line: Line) -> str:
    return f"({line.feedback}) {line.query}" if line.feedback else line.query


def import_lines(sifted: Sifted, model: str, answered_at: str, asked_at: str) -> Iterator[str]:
    """Yield what an import found, what of it is new and for which questions it counts, and what was left out and why.

    All of it was answered at the base URL `answered_at`. Here `model` is asked, at `asked_at`.
    """
    for kind, count in sifted.found.items():
        yield f"{count:,} question{'s' if count > 1 else ''} found in {RECORDS.get(kind, kind)}."
    if not sifted.found:
        yield "No questions found."
        return
    days = dict.fromkeys(map(local_date, sifted.dates or ()))
    dates = f" of {' to '.join(days)}" if days else ""
    yield f"{len(sifted.interactions):,} to import{dates}."
    for name, count in sifted.models.items():
        yield f"  {count:,} learnt as answers of {one_line(name)} at {_host(answered_at)}"
    if sifted.interactions:
        yield from _not_asked_here(sifted, model, answered_at, asked_at)
    if sifted.skipped:
        yield f"{sum(sifted.skipped.values()):,} skipped:"
        for reason, count in sifted.skipped.items():
            yield f"  {count:,}: {reason}{_places(sifted.places.get(reason, []))}"


def _not_asked_here(sifted: Sifted, model: str, answered_at: str, asked_at: str) -> Iterator[str]:
    """Yield why what was imported is not given to questions as they are asked here now, and what to do."""
    if origin(answered_at) != origin(asked_at):
        came = f'import it with --base-url "${BASE_URL}" if it came through that'
        if answered_at:
            came = f"set {BASE_URL} to that host, or leave out --base-url if it came from Anthropic"
        yield f"  You ask {_host(asked_at)}, where no answer of another host is given: {came}."
    if any(name != model for name in sifted.models):
        now = "with `ask --model NAME` at once, else once they are measured"
        yield f"  You ask {one_line(model)}: answers of other models are given {now}."


def _places(places: Sequence[str]) -> str:
    """Return the first of some places in brackets; nothing if there are none."""
    shown = [one_line(place) for place in places[:MOST_PLACES]] + ["…"] * (len(places) > MOST_PLACES)
    return f" ({', '.join(shown)})" if shown else ""


def _host(base_url: str) -> str:
    return one_line(host_at(base_url))


def savings(result: Result, own: OwnStream) -> Iterator[str]:
    """Yield what a replay of a home's own questions would have saved."""
    total = result.total
    saved, all_ = total.cost_all_usd - total.cost_usd, total.cost_all_usd
    share = f" ({saved / all_:.0%})" if all_ else ""
    yield (
        f"Of {total.queries:,} questions, {total.queries - total.calls:,} calls and {in_dollars(max(saved, 0.0))} of"
        f" {in_dollars(all_)}{share} would have been saved, by list prices and the length of the texts."
    )
    yield "Bad answers are counted by the meter alone: nobody judged them."
    if own.served:
        answered = f"Answered here when they were asked: {len(own.served):,} of these questions"
        yield f"{answered}. They count as that happened, without a call, and as bad if you said so."
    if own.left_out:
        yield f"{own.left_out:,} left out: there is no full answer, or you asked with --local."
    if own.of_other_hosts:
        yield f"{own.of_other_hosts:,} left out: they were put to another host than the last question here."
