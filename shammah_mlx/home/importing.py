"""Turn what other programs recorded into interactions of this home: what Claude answered in full, each answer once.

An imported interaction is one that Claude had to answer, with its own date and at no cost. When its turn to be learnt
comes, it is drafted and measured like any other before its reply is learnt, as in a replay: see `Training`. It buys
nothing, and it is no part of what was asked, served or spent here.
"""

import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import UNSET, UnsetType

from shammah_mlx.config import Config
from shammah_mlx.events import COMPLETE, Event, Feedback, Interaction, Query, Reply, Request, Route
from shammah_mlx.framework import policy, screening
from shammah_mlx.framework.claude_only import why_claude_only
from shammah_mlx.home.conversations import with_latest_turns
from shammah_mlx.home.journal import Journal
from shammah_mlx.teacher.identity import bare_name, is_claude, is_model, origin
from shammah_mlx.transcripts.found import CUT, UNANSWERED, UNREADABLE, Found, Skipped
from shammah_mlx.transcripts.kinds import Kind

OTHER_MODEL = "another model than Claude answered"
OTHER_HOST = "another host than Anthropic's answered (--base-url says which)"
NOT_THIS_HOST = "another host answered than the one that --base-url names"
LONG = "the question with its earlier turns is longer than max_query_bytes"
SECRET = "it looks like it holds a secret"
PRIVATE = "the settings in [privacy] do not let it be stored"
KNOWN = "this answer is here already, or a newer one"

_Question = tuple[int, str]
"""Hash of the context, and the text: two with the same are the same question."""


class Sifted(msgspec.Struct, frozen=True):
    """What an import would add, and what it leaves out."""

    interactions: list[Interaction]  # in the order of their dates
    found: dict[Kind, int]  # questions of each kind of record
    models: dict[str, int]  # of `interactions`: for questions to each model so many count
    skipped: dict[str, int]  # questions left out, by reason
    places: dict[str, list[str]]  # where in the record they are, if they can be mended there

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
    base_url: str = "",
) -> Sifted:
    """Choose what of a record this home should import; write nothing, not even a new home.

    `now` is the date of answers without one, Unix time, `unnamed_model` the model of those that name none, by default
    the one that is asked here. `advance` is called for each question. `base_url` is where all of this was answered;
    without it that was Anthropic. What another host answered, as far as the record knows, is left out: it is never
    given as that one's.

    Raises:
        BadInputError: the record cannot be read.
        BadStateError: the journal is damaged.
    """
    found: Counter[Kind] = Counter()
    skipped: Counter[str] = Counter()
    places: dict[str, list[str]] = {}
    chosen: list[tuple[Kind, Found, Query]] = []
    for kind, item in record:
        advance()
        found[kind] += 1
        if isinstance(item, Skipped):
            skipped[item.reason] += 1
            if item.place:
                places.setdefault(item.reason, []).append(item.place)
            continue
        query = _query(item, config, now, unnamed_model or config.teacher.model, origin(base_url))
        if (reason := _why_not(item, query, unnamed_model or config.teacher.model, config)) is not None:
            skipped[reason] += 1
        else:
            chosen.append((kind, item, query))
    known = _known(home)
    interactions = []
    for kind, item, query in sorted(chosen, key=lambda each: each[2].at):
        if _is_known(item, query, known):
            skipped[KNOWN] += 1
        else:
            interactions.append(_interaction(kind, item, query, known))
    models = Counter(interaction.request.query.model or "" for interaction in interactions)
    return Sifted(interactions, dict(found), dict(models.most_common()), dict(skipped.most_common()), places)


def still_new(interactions: Sequence[Interaction], journal: Journal) -> list[Interaction]:
    """Return those of an import's `interactions` that no other import has journalled since they were chosen.

    Call it within the transaction that writes them.
    """
    if not interactions:
        return []
    meanwhile = _nothing_known()
    for event in journal.events_after(interactions[0].request.number - 1):
        _note_event(meanwhile, event, journal)
    return [each for each in interactions if not _has_come(each, meanwhile)]


def _has_come(interaction: Interaction, meanwhile: _Known) -> bool:
    question = _question(interaction.request.query)
    is_newer = interaction.request.query.at > meanwhile.latest.get(question, -math.inf)
    return not is_newer or (question, interaction.answer) in meanwhile.answers  # without a date it seems newer


def _query(item: Found, config: Config, now: float, unnamed_model: str, host: int | UnsetType) -> Query:
    """Return the query that would be asked here for this."""
    named = item.model
    asked = unnamed_model if named is None else config.teacher.model
    query = Query(
        item.question.strip(),
        system=item.system or None,
        model=asked if named is None or is_model(asked, named) else bare_name(named),
        max_tokens=item.max_tokens or config.teacher.max_tokens,
        history=item.history,
        at=now if item.at is None else item.at,
        stop_sequences=item.stop_sequences,
        scope=UNSET if item.scope is None else item.scope,
        origin=host,
    )
    return with_latest_turns(query, config)


def _why_not(item: Found, query: Query, unnamed_model: str, config: Config) -> str | None:
    """Return why this is not to be learnt; None if it is."""
    reply = _reply(item, query)
    if not _is_text((*query.texts, item.answer)):
        return UNREADABLE
    if not query.text or not item.answer.strip():
        return UNANSWERED
    if not is_claude(item.model or unnamed_model):
        return OTHER_MODEL
    if _is_of_other_host(item, query):
        return OTHER_HOST if query.origin is UNSET else NOT_THIS_HOST
    if item.stop_reason is not None and item.stop_reason not in COMPLETE:
        return CUT
    if why_claude_only(query, config.max_query_bytes) is not None:
        return LONG
    if screening.is_secret(query, reply):
        return SECRET
    if screening.is_private(query, config.privacy) or screening.is_never_stored(item.answer, config.privacy):
        return PRIVATE
    return None


def _is_of_other_host(item: Found, query: Query) -> bool:
    """Say whether the record knows that another host answered than the one of the query."""
    asked = query.origin or 0
    return item.host != asked if item.host is not None else item.other_host and asked == 0


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


def _nothing_known() -> _Known:
    return _Known({}, set(), set(), set(), 1, "")


def _known(home: Path) -> _Known:
    known = _nothing_known()
    if (home / "journal.db").exists():
        with closing(Journal(home / "journal.db")) as journal:
            known.number, known.seed = journal.next_number(), journal.audit_seed()
            for event in journal.events_after(0):
                _note_event(known, event, journal)
    known.from_before = set(known.latest)
    return known


def _note_event(known: _Known, event: Event, journal: Journal) -> None:
    if isinstance(event, Feedback):
        if not event.good:  # an older answer from elsewhere may be the one that was bad
            query = journal.read(event.about).answered_query
            _note(known, msgspec.structs.replace(query, at=event.at), event.answer or "")
    elif event.reply is not None and event.reply.teaches:
        _note(known, event.request.query, event.reply.text)


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
