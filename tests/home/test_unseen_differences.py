"""Two questions that the embedder cannot tell apart keep their own answers, on the real embedder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shammah_mlx.config import Config, JudgeConfig, RiskConfig
from shammah_mlx.events import AskOptions, ForcedSource, Interaction, Query
from shammah_mlx.home.assistant import Assistant
from shammah_mlx.models.weights import Weights
from shammah_mlx.presets import PRESETS
from shammah_mlx.teacher.recordings import Recorded, Row

pytestmark = pytest.mark.slow

TAGS = "".join(chr(0xE0000 + ord(letter)) for letter in "and its risks")
PAIRS = {
    "case of a flag": ("What does grep -v print?", "What does grep -V print?"),
    "case of a class": (r"What does the pattern \d match?", r"What does the pattern \D match?"),
    "case of a unit": ("How many households does 5 mW supply?", "How many households does 5 MW supply?"),
    "case of a word": ("Where does the word polish come from?", "Where does the word Polish come from?"),
    "umlaut": ("Was heißt schon auf Englisch?", "Was heißt schön auf Englisch?"),
    "tilde": ("¿Qué significa año?", "¿Qué significa ano?"),
    "flags": ("Which country has the flag 🇮🇪?", "Which country has the flag 🇨🇮?"),
    "chess pieces": ("How does ♘ move?", "How does ♖ move?"),
    "tags": ("What does a heat pump cost?", f"What does a heat pump cost{TAGS}?"),
    "zero width": ("Is therapist one word?", "Is the\N{ZERO WIDTH SPACE}rapist one word?"),
    "soft hyphen": ("How many characters has coop?", "How many characters has co\N{SOFT HYPHEN}op?"),
    "Python": (
        "What does this print?\nfor n in range(3):\n    t = n\n    print(t)",
        "What does this print?\nfor n in range(3):\n    t = n\nprint(t)",
    ),
    "YAML": ("Is this valid?\na:\n  b: 1\n  c: 2", "Is this valid?\na:\n  b: 1\nc: 2"),
}
OTHERS = [f"How do I {verb} a {thing}?" for verb in ("paint", "sell") for thing in ("chair", "boat", "hedge", "drum")]
OFTEN = 5  # a question in a language that the rules cannot read is repeated only after Claude agreed four times
TEXTS = [*OTHERS, *(text for pair in PAIRS.values() for text in pair)]
TEACHER = Recorded(
    [Row(text, f"Answer {number}: it depends on {text[-9:]}", f"r{number}") for number, text in enumerate(TEXTS)]
)


def config(**policy: Any) -> Config:
    default = PRESETS["default"]
    chosen = msgspec.structs.replace(default.policy, audits=(), **policy)
    return msgspec.structs.replace(default, generator="recall", policy=chosen, judge=JudgeConfig(share=0.0))


def ask(assistant: Assistant, text: str, forced_source: ForcedSource | None = None) -> Interaction:
    """Ask, and learn from the reply."""
    asked = assistant.ask(Query(text, row=f"r{TEXTS.index(text)}"), options=AskOptions(forced_source=forced_source))
    assert isinstance(asked, Interaction)
    assistant.learn_pending()
    return asked


@pytest.fixture
def eager(home: Path, weights: Weights) -> Iterator[Assistant]:
    """Return a home that serves whatever it proposes, unless the words of the question speak against it."""
    always = {"forward_only": 0, "route_thresholds": ((0, 0.0),), "accept_thresholds": ((0, 0.0),)}
    settings = msgspec.structs.replace(config(**always), risk=RiskConfig())
    with Assistant(home, settings, TEACHER, weights) as assistant:
        for text in OTHERS:
            ask(assistant, text, "claude")
        yield assistant


def test_after_both_were_asked_often_each_gets_its_own_answer(home: Path, weights: Weights) -> None:
    with Assistant(home, config(), TEACHER, weights) as assistant:
        for _ in range(OFTEN):
            for text in TEXTS:
                ask(assistant, text, "claude")
        for name, pair in PAIRS.items():
            for text in pair:
                again = ask(assistant, text)
                expected = f"Answer {TEXTS.index(text)}: "
                assert (name, again.source, again.answer[: len(expected)]) == (name, "repeat", expected)


@pytest.mark.parametrize("name", PAIRS)
def test_the_answer_to_one_is_not_recalled_for_the_other(eager: Assistant, name: str) -> None:
    known, other = PAIRS[name]
    ask(eager, known, "claude")
    assert ask(eager, other).source == "claude"


def test_careless_writing_is_not_taken_for_another_question(eager: Assistant) -> None:
    for text in OTHERS[:3]:
        careless = eager.ask(Query(text.lower().replace(" a ", "  a ")))
        assert isinstance(careless, Interaction)
        assert (careless.source, careless.draft and careless.draft.from_id) == ("recall", f"r{TEXTS.index(text)}")
