"""Turn what other programs recorded into interactions of this home: what Claude answered in full, each answer once.

An imported interaction is one that Claude had to answer, with its own date and at no cost. When its turn to be learnt
comes, it is drafted and measured like any other before its reply is learnt, as in a replay: see `Training`. It buys
nothing, and it is no part of what was asked, served or spent here.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import UNSET

from shammah_mlx.config import Config
from shammah_mlx.events import COMPLETE, Exchange, Feedback, Interaction, Query, Reply, Request, Route
from shammah_mlx.framework import policy, screening
from shammah_mlx.home.journal import Journal
from shammah_mlx.teacher.identity import bare_name, is_claude, is_model
from shammah_mlx.transcripts.found import CUT, UNANSWERED, UNREADABLE, Found, Skipped
from shammah_mlx.transcripts.kinds import Kind

OTHER_MODEL = "another model than Claude answered"
LONG = "the question is longer than max_query_bytes"
SECRET = "it looks like it holds a secret"
KNOWN = "this answer is here already, or a newer one"

_Question = tuple[int, str]
"""Hash of the context, and the text: two with the same are the same question."""


class Sifted(msgspec.Struct, frozen=True):
    """What an import would add, and what it leaves out."""

    interactions: list[Interaction]  # in the order of their dates
    found: dict[Kind, int]  # questions of each kind of record
    models: dict[str, int]  # of `interactions`
    skipped: dict[str, int]  # questions left out, by reason

    @property
    def dates(self) -> tuple[float, float] | None:
        """Return the first and the last date, Unix time; None if there are none."""
        dates = [interaction.request.query.at for interaction in self.interactions]
        return (min(dates), max(dates)) if dates else None


class _Known(msgspec.Struct):
    """Which answers the home has, and those taken from the record so far."""

    latest: dict[_Question, float]  # when each question was answered last
    from_before: set[_Question]  # questions that the home had before this import
    answers: set[tuple[_Question, str]]
    keys: set[str]
    number: int  # that the next interaction gets
    seed: str


def sift(
    home: Path,
    config: Config,
    record: Iterable[tuple[Kind, Found | Skipped]],
    now: float,
    unnamed_model: str | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Sifted:
    """Choose what of a record this home should import; write nothing, not even a new home.

    `now` is the date of answers without one, Unix time, `unnamed_model` the model of those that name none, by default
    the one that is asked here. `advance` is called for each question.

    Raises:
        BadInputError: the record cannot be read.
        BadStateError: the journal is damaged.
    """
    found: Counter[Kind] = Counter()
    skipped: Counter[str] = Counter()
    chosen: list[tuple[Kind, Found, Query]] = []
    for kind, item in record:
        advance()
        found[kind] += 1
        taken = item if isinstance(item, Skipped) else _query(item, config, now, unnamed_model or config.teacher.model)
        if isinstance(item, Skipped) or isinstance(taken, Skipped):
            assert isinstance(taken, Skipped)
            skipped[taken.reason] += 1
        else:
            assert isinstance(taken, Query)
            chosen.append((kind, item, taken))
    known = _known(home)
    interactions = []
    for kind, item, query in sorted(chosen, key=lambda each: each[2].at):
        if _is_known(item, query, known):
            skipped[KNOWN] += 1
        else:
            interactions.append(_interaction(kind, item, query, known))
    models = Counter(interaction.request.query.model or "" for interaction in interactions)
    return Sifted(interactions, dict(found), dict(models.most_common()), dict(skipped.most_common()))


def _query(item: Found, config: Config, now: float, unnamed_model: str) -> Query | Skipped:
    """Return the query that would be asked here for this, or why it is not to be learnt."""
    named = item.model
    asked = unnamed_model if named is None else config.teacher.model
    history = _history(item.history, config)
    query = Query(
        item.question.strip(),
        system=item.system or None,
        model=asked if named is None or is_model(asked, named) else bare_name(named),
        max_tokens=item.max_tokens or config.teacher.max_tokens,
        history=history,
        at=now if item.at is None else item.at,
        stop_sequences=item.stop_sequences,
        scope=UNSET if item.scope is None else item.scope,
    )
    if not _is_text((*query.texts, item.answer)):
        return Skipped(UNREADABLE)
    if not query.text or not item.answer.strip():
        return Skipped(UNANSWERED)
    if not is_claude(named or unnamed_model):
        return Skipped(OTHER_MODEL)
    if item.stop_reason is not None and item.stop_reason not in COMPLETE:
        return Skipped(CUT)
    if len(query.text.encode()) > config.max_query_bytes:
        return Skipped(LONG)
    return Skipped(SECRET) if screening.is_secret(query, _reply(item, query)) else query


def _history(history: tuple[Exchange, ...], config: Config) -> tuple[Exchange, ...]:
    """Return the earlier turns that would be sent along here; see `Assistant.continued`."""
    kept = history[-config.max_history :]
    while kept and sum(len(turn.question) + len(turn.answer) for turn in kept) > config.max_query_bytes:
        kept = kept[1:]
    return kept


def _is_text(texts: Iterable[str]) -> bool:
    """Say whether all of this can be written as UTF-8: JSON may hold half of a surrogate pair."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return False
    return True


def _reply(item: Found, query: Query) -> Reply:
    """Return Claude's reply. It cost nothing here; a reason to stop that is not recorded is the usual one."""
    model, stop_reason = item.model or query.model or "", item.stop_reason or "end_turn"
    return Reply(item.answer, model, stop_reason, cost_usd=0.0)


def _known(home: Path) -> _Known:
    known = _Known({}, set(), set(), set(), 1, "")
    if (home / "journal.db").exists():
        with closing(Journal(home / "journal.db")) as journal:
            known.number, known.seed = journal.next_number(), journal.audit_seed()
            for event in journal.events_after(0):
                if isinstance(event, Feedback):
                    if not event.good:  # an older answer from elsewhere may be the one that was bad
                        query = journal.read(event.about).answered_query
                        _note(known, msgspec.structs.replace(query, at=event.at), event.answer or "")
                elif event.reply is not None and event.reply.teaches:
                    _note(known, event.request.query, event.reply.text)
    known.from_before = set(known.latest)
    return known


def _note(known: _Known, query: Query, answer: str) -> None:
    question = _question(query)
    known.latest[question] = max(query.at, known.latest.get(question, 0.0))
    known.answers.add((question, answer))


def _question(query: Query) -> _Question:
    return query.context, unicodedata.normalize("NFC", query.text)


def _is_known(item: Found, query: Query, known: _Known) -> bool:
    """Say whether the home has this answer, or one that is not older: an import must not bring back an old one."""
    question = _question(query)
    if item.key is not None and item.key in known.keys:
        return True
    if item.at is None:
        return question in known.from_before or (question, item.answer) in known.answers
    return question in known.latest and query.at <= known.latest[question]


def _interaction(kind: Kind, item: Found, query: Query, known: _Known) -> Interaction:
    """Return the interaction as it is journalled, and note that it is known now."""
    request = Request(
        number=known.number,
        seen=0,
        query=query,
        forced_source="claude",
        audit_draw=policy.audit_draw(known.seed, known.number, query.text),
        audit_rate=0.0,
        shadow_rates={},
        imported_from=kind,
    )
    known.number += 1
    _note(known, query, item.answer)
    if item.key is not None:
        known.keys.add(item.key)
    return Interaction.forwarded(request, Route({}, None), _reply(item, query))
