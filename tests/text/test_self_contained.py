"""Which turns of a conversation may be answered without the turns before them."""

import pytest

from shammah_mlx.events import Exchange
from shammah_mlx.text.self_contained import asks_back, is_self_contained

MARS = (Exchange("which moons has Mars?", "Mars has two moons, Phobos and Deimos."),)
FRANCE = (Exchange("What is the capital of France?", "The capital of France is Paris."),)
GIT = (Exchange("how do I undo a git commit?", "Run `git reset HEAD~1`. The branch keeps its files."),)


@pytest.mark.parametrize(
    "text",
    [
        "who wrote Hamlet?",
        "how do I boil an egg?",
        "what is a monad?",
        "What is the capital of Italy?",
        "how many people live in the city of Rome?",
        "is it safe to eat raw eggs?",
        "are there sharks in the Baltic Sea?",
        "Is gold heavier or cheaper than silver?",
    ],
)
@pytest.mark.parametrize("earlier", [MARS, FRANCE, (*MARS, Exchange("and Saturn?", "Saturn has 146."))])
def test_a_turn_that_names_what_it_is_about_stands_alone(text: str, earlier: tuple[Exchange, ...]) -> None:
    assert is_self_contained(text, earlier)


@pytest.mark.parametrize(
    ("text", "earlier"),
    [
        ("and Saturn?", MARS),
        ("why?", MARS),
        ("how big are they?", MARS),
        ("who discovered the moons?", MARS),
        ("how far away is the planet that they circle?", MARS),
        ("is there another planet with moons?", MARS),
        ("does Saturn have more moons?", MARS),
        ("what does your answer mean for Jupiter?", MARS),
        ("how many people live in the capital?", FRANCE),
        ("how large is this city?", FRANCE),
        ("which city is larger?", FRANCE),
        ("does Windows support it?", GIT),
        ("what does the second option mean in practice?", GIT),
        ("where does the output of the command go?", GIT),
        ("how do I delete the branch?", GIT),
        ("warum ist der Himmel blau?", MARS),
        ("Windows 11", MARS),
    ],
)
def test_a_turn_that_points_at_what_was_said_leans_on_it(text: str, earlier: tuple[Exchange, ...]) -> None:
    assert not is_self_contained(text, earlier)


@pytest.mark.parametrize(
    "before",
    [
        "I'm a vegetarian.",
        "I use Fedora on an old laptop",
        "from now on answer in German",
        "please be brief",
        "pretend you are a pirate",
        "explain monads in French",
        "my dog is ill, what can I do?",
        "how do I sort a list in Python?",
        "how do I undo a git commit?",
        "Here is a text: the cat sat. What does it say?",
        "let's play chess",
    ],
)
def test_a_frame_that_an_earlier_turn_set_holds_for_later_ones(before: str) -> None:
    assert not is_self_contained("how do I boil an egg?", (Exchange(before, "Good."), *MARS))


def test_a_turn_that_names_its_own_tool_stands_alone_among_questions_about_tools() -> None:
    assert is_self_contained(
        "how do I show the log of a git branch?", (Exchange("how do I undo a git commit?", "So."),)
    )


def test_what_may_be_the_reply_to_a_question_of_claudes_leans_on_it() -> None:
    assert not is_self_contained("how do I boil an egg?", (Exchange("how do I cook?", "What do you want to cook?"),))
    assert asks_back("Which one?\n")
    assert asks_back('Did you mean *"the second"?*')
    assert not asks_back("Why? Because it is.")


def test_a_turn_that_tells_something_or_brings_a_text_is_no_question_to_recall() -> None:
    for text in (
        "I only have an hour today",
        "Fix this: print(1",
        "How do I sort? And how do I reverse?",
        "do `x` now",
    ):
        assert not is_self_contained(text, MARS)
