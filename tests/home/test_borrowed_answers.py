"""Under another model or system prompt, what was learnt before is served once it was measured there, or never."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from shammah_mlx.config import Config, JudgeConfig, RiskConfig
from shammah_mlx.events import BORROWED, AskOptions, Exchange, ForcedSource, Interaction, Outage, Query
from shammah_mlx.framework.loop import NOTHING_LOCAL
from shammah_mlx.home.assistant import Assistant, AssistantOptions
from shammah_mlx.home.explanation import explain
from shammah_mlx.home.hindsight import give_feedback
from shammah_mlx.home.overview import read_overview
from shammah_mlx.home.recollection import recollect
from shammah_mlx.home.recovery import rebuild
from shammah_mlx.models.weights import Weights
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.recordings import Recorded, Row

pytestmark = pytest.mark.slow

A, B, C = "claude-haiku-4-5", "claude-sonnet-5-5", "claude-opus-5-5"
ENOUGH = 16  # drafts that must be measured here; 60 would take this test as long as all others together
SUBJECTS = ("an egg", "a chair", "a bicycle", "a garden", "a violin", "a boat", "a roof", "a lamp", "a wall")
QUESTIONS = [f"how do I {verb} {of}?" for verb, of in itertools.product(("paint", "sell", "clean", "repair"), SUBJECTS)]


def settings(model: str, **risk: Any) -> Config:
    """Return the default preset without decoder and judge, and with few audits."""
    default = PRESETS["default"]
    return msgspec.structs.replace(
        default,
        generator="recall",
        judge=JudgeConfig(share=0.0),
        policy=msgspec.structs.replace(default.policy, audits=((0, 0.05),)),
        risk=msgspec.structs.replace(default.risk, **{"known": float(ENOUGH), **risk}),
        teacher=msgspec.structs.replace(default.teacher, model=model),
    )


def answers(says: str) -> Recorded:
    """Return a teacher who answers every question; what he says depends on a word."""
    return Recorded([Row(text, answer_to(text, says)) for text in QUESTIONS])


def answer_to(text: str, says: str) -> str:
    """Return an answer that no other question has."""
    asked = text.removeprefix("how do I ").removesuffix("?")
    return f"To {asked}, {says} the {asked.replace(' ', '-')} tool."


class Home:
    """A home whose model and teacher can be exchanged."""

    def __init__(self, path: Path, weights: Weights) -> None:
        self.path, self._weights = path, weights
        self._now = itertools.count(1e9, 100.0)

    def ask_all(
        self,
        model: str = B,
        says: str = "take",
        texts: list[str] = QUESTIONS,
        forced_source: ForcedSource | None = None,
        origin: Any = UNSET,
        config: Config | None = None,
        **context: Any,
    ) -> list[Interaction]:
        opened = AssistantOptions(clock=lambda: next(self._now), origin=origin)
        with Assistant(self.path, config or settings(model), answers(says), self._weights, opened) as assistant:
            return list(_asked(assistant, texts, AskOptions(forced_source), context))

    def teach(self, says: str = "take", **context: Any) -> None:
        self.ask_all(A, says, forced_source="claude", **context)


def _asked(
    assistant: Assistant, texts: list[str], options: AskOptions, context: dict[str, Any]
) -> Iterator[Interaction]:
    for text in texts:
        asked = assistant.ask(Query(text, **context), options=options)
        assert isinstance(asked, Interaction)
        yield asked
        assistant.learn_pending()


Opened = Callable[[], Home]


@pytest.fixture
def opened(home: Path, weights: Weights) -> Home:
    return Home(home, weights)


def sources(asked: list[Interaction]) -> set[str]:
    return {each.source for each in asked}


@pytest.mark.parametrize(
    ("source", "model", "system"),
    [("other_model", B, None), ("other_prompt", A, "Be brief.")],
    ids=["model", "system prompt"],
)
def test_answers_of_another_context_are_served_once_enough_were_measured_in_this_one(
    opened: Home, source: str, model: str, system: str | None
) -> None:
    opened.teach()
    asked = opened.ask_all(model, system=system)
    first = next(place for place, each in enumerate(asked) if each.source == source)
    assert sources(asked[:first]) == {"claude"}
    assert first >= ENOUGH  # each of these was measured, at no call beside Claude's answer
    assert sum(each.called_claude for each in asked) < len(asked) - 5  # from nothing, all of them would
    served = next(each for each in asked if each.source == source and not each.called_claude)
    assert (served.covered, served.answer) == (True, answer_to(served.request.query.text, "take"))
    assert served.draft is not None
    assert served.draft.pair is not UNSET
    assert served.request.thresholds[served.draft.counted_as].serve < served.drafts[0].p_accept


def test_answers_of_a_model_that_says_something_else_are_never_served(opened: Home) -> None:
    opened.teach()
    asked = opened.ask_all(B, says="never ever use")
    assert sources(asked) <= {"claude", "repeat", "recall"}
    assert all(set(each.route.p_locals) & {"other_model"} for each in asked)  # it was looked at each time


def test_what_was_measured_of_two_contexts_says_nothing_about_a_third(opened: Home) -> None:
    opened.teach(system="Be brief.")
    assert "other_prompt" in sources(opened.ask_all(A, system="Be short."))
    asked = opened.ask_all(A, says="never ever use", system="Say the contrary.")
    assert not sources(asked) & set(BORROWED)
    third = opened.ask_all(A, texts=QUESTIONS[:5], system="Be terse.")
    assert sources(third) == {"claude"}


@pytest.mark.parametrize(
    "others",
    [
        {"scope": 7},
        {"origin": 7},
        {"max_tokens": 7},
        {"stop_sequences": ("\n",)},
        {"history": (Exchange("Which paintings hang in Otterlo?", "Many by van Gogh."),)},
        {"system": "Be brief."},  # beside the model
        {"named": "gpt-9"},
    ],
    ids=["account", "host", "limit", "stop sequences", "conversation", "prompt and model", "not Claude"],
)
def test_nothing_else_of_a_context_may_differ(opened: Home, others: dict[str, Any]) -> None:
    opened.teach()
    context = dict(others)
    asked = opened.ask_all(context.pop("named", B), texts=QUESTIONS[:2], **context)
    assert not any(set(each.route.p_locals) & set(BORROWED) for each in asked)
    assert opened.ask_all(B, texts=QUESTIONS[2:3])[0].route.p_locals.keys() >= {"other_model"}


def test_nothing_is_borrowed_where_nothing_is_promised_for_it(home: Path, opened: Home, weights: Weights) -> None:
    opened.teach()
    opened.ask_all(B, texts=QUESTIONS[:30])
    assert opened.ask_all(B, texts=QUESTIONS[30:31])[0].route.p_locals.keys() >= {"other_model"}
    bold = msgspec.structs.replace(settings(B), risk=RiskConfig())
    asked = opened.ask_all(B, texts=QUESTIONS[31:32], config=bold)
    assert not set(asked[0].route.p_locals) & set(BORROWED)
    with Assistant(home, settings(C), answers("take"), weights) as assistant:
        insisted = assistant.ask(Query(QUESTIONS[0]), options=AskOptions(forced_source="local"))
    assert insisted == NOTHING_LOCAL


def test_a_home_made_again_is_the_same_and_says_where_answers_are_from(home: Path, opened: Home) -> None:
    opened.teach()
    asked = opened.ask_all(B)
    rebuilt = rebuild(home, settings(B), opened._weights)
    assert rebuilt.before == rebuilt.after
    served = next(each for each in asked if each.source == "other_model")
    recollection = recollect(home, served)
    assert recollection is not None
    assert recollection.model == A
    _, explanation = explain(home, settings(B), served.request.number)
    first = explanation.drafts[0]
    assert (first.source, first.from_model) == ("other_model", A)
    (pair,) = read_overview(home, settings(B)).borrowing
    assert (pair.source, pair.from_model, pair.for_model, pair.to_measure) == ("other_model", A, B, ENOUGH)
    assert pair.measured >= ENOUGH
    assert pair.threshold is not None


def test_a_borrowed_answer_that_the_user_calls_bad_is_not_given_again(home: Path, opened: Home) -> None:
    opened.teach()
    served = next(each for each in opened.ask_all(B) if each.source == "other_model")
    give_feedback(home, settings(B), served.request.number, good=False)
    again = opened.ask_all(B, texts=[*QUESTIONS[:1], served.request.query.text])[-1]  # the first has it learnt
    assert again.source == "claude"
    assert served.answer not in {scored.draft.text for scored in again.drafts}


def test_a_home_with_one_context_stores_nothing_of_others(opened: Home) -> None:
    opened.teach()
    asked = opened.ask_all(A, texts=QUESTIONS[:3])
    record = msgspec.json.encode(asked)
    assert b"pair" not in record
    assert not any(source.encode() in record for source in BORROWED)
    assert not isinstance(asked[0], Outage)
