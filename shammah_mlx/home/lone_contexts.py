"""Find out why questions are never asked again in the same context: what changes from one to the next.

An answer is given again in its own context only. A client that puts a clock or a new identifier into a part of the
context never gets one. Nothing here returns any text of a question.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from shammah_mlx.events import Query
from shammah_mlx.text.prompt_changes import usual_changes

LATEST = 200  # questions that are looked at: what a client does today counts
FEWEST = 20  # of these, in a context of their own, from which on that is a habit
MANY = 0.5  # share of them in a context of their own, or of those with a value of their own, that is many

PARTS: dict[str, Callable[[Query], object]] = {  # what a context is made of, in the user's words
    "the system prompt": lambda query: query.system,
    "the model": lambda query: query.model,
    "max_tokens": lambda query: query.max_tokens,
    "stop_sequences": lambda query: query.stop_sequences,
    "who asks (metadata, anthropic-version or shammah-scope)": lambda query: query.scope,
    "the conversation before the question": lambda query: query.history,
}


class LoneContexts(msgspec.Struct, frozen=True):
    """How many of the latest questions share their context with no other, and what sets these contexts apart."""

    asked: int
    alone: int
    changing: tuple[str, ...]  # parts that most of them have to themselves, with kind and place; empty: too few

    @property
    def is_fault(self) -> bool:
        """Say whether a client could do better: a conversation is another one each time by its nature."""
        return any(not part.startswith("the conversation") for part in self.changing)


def find_lone_contexts(latest: Sequence[Query]) -> LoneContexts:
    """Look at the latest questions for contexts that are not asked in again."""
    times = Counter(query.context for query in latest)
    alone = [query for query in latest if times[query.context] == 1]
    is_habit = len(alone) >= max(FEWEST, MANY * len(latest))
    changing = tuple(_described(name, alone) for name in PARTS if _changes(name, alone)) if is_habit else ()
    return LoneContexts(len(latest), len(alone), changing)


def _changes(name: str, alone: Sequence[Query]) -> bool:
    """Say whether most of these queries have a value of this part to themselves."""
    values = Counter(map(PARTS[name], alone))
    return sum(count == 1 for count in values.values()) > MANY * len(alone)


def _described(name: str, alone: Sequence[Query]) -> str:
    if name != "the system prompt":
        return name
    changes = usual_changes({query.system or "" for query in alone})
    return f"{name} ({' and '.join(map(str, changes))})"
