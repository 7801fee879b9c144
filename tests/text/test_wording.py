"""Answers that are worded nearly alike: a frame around a short one, a long one rearranged; and what only looks so."""

import pytest

from shammah_mlx.events import Exchange
from shammah_mlx.models.embedder import Embedder
from shammah_mlx.models.weights import Weights
from shammah_mlx.text import reading
from shammah_mlx.text.divergence import Meter, fitted
from shammah_mlx.text.reading import read
from shammah_mlx.text.wording import CHANGED, core, divergence

QUESTION = "How do I look after a cast-iron pan?"
LONG = (
    "Wash the pan with warm water, a soft brush and a little mild soap. Dry it at once, so that it does not rust. "
    "Rub a thin layer of oil into the whole surface. It is able to last for decades."
)


@pytest.fixture(scope="module")
def meter(weights: Weights) -> Meter:
    return fitted(Embedder(weights.embedder))


def alike(one: str, other: str) -> bool:
    return divergence(read(one), read(other)) is not None


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("timer", ("timer",)),
        ("Intent: **set_alarm**", ("set_alarm",)),
        ("I would label this set_alarm.\n\nPlease let me know if you need anything else.", ("set_alarm",)),
        ("The answer is 42.", ("42",)),
        ("The best match is timer.", ("timer",)),
        ("The light is not on.", ("light", "is", "not", "on")),
        ("The answer is option D.", ("option", "d")),
        ("Turn right.", ("turn", "right")),
        (LONG, ()),
    ],
)
def test_the_core_of_a_short_answer_is_what_its_frame_holds(text: str, held: tuple[str, ...]) -> None:
    assert core(read(text)) == held


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("This falls under timer.", "Category: `timer`"),
        ("**yes**\n\nIs there anything else I can help you with?", "yes"),
        ("That would be: **cancel**", "The label is cancel."),
        ("**32** is the answer.", "It's 32."),
    ],
)
def test_a_frame_is_not_part_of_an_answer(meter: Meter, one: str, other: str) -> None:
    assert meter(Exchange("", one), Exchange("", other)) == 0.0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The intent is timer.", "The intent is alarm."),
        ("The light is on.", "The light is off."),
        ("The answer is 42.", "It is 43."),
        ("Vitamin D", "Vitamin A"),
        ("The answer is option D.", "The answer is option A."),
        ("Call Tom", "Message Tom"),
        ("Under the mat", "In the mat"),
        ("Turn right.", "Turn left."),
        ("2**3", "23"),
        ("2. Mai", "7. Mai"),
        ("12. Tabs", "14. Tabs"),
        ("rm -rf **/node_modules/**", "rm -rf /node_modules/"),
        ("Run `git add **/src/**` first.", "Run `git add /src/` first."),
        ("z = {**a,**{'k': 1}}", "z = {a,{'k': 1}}"),
        ("Dear Bob, let me know if Tuesday works for you.", "Dear Bob, let me know if Friday works for you."),
        (
            "The key is with Ann. Feel free to ask Ann for the key.",
            "The key is with Ann. Feel free to ask Bob for the code.",
        ),
        ("The museum opens at nine. It is free.", "The museum opens at nine. You have to ask."),
        ("Ann met Bob at noon. She knows.", "Ann met Bob at noon. She asked."),
    ],
)
def test_what_only_looks_like_a_frame_or_a_courtesy_counts(meter: Meter, one: str, other: str) -> None:
    assert meter(Exchange("", one), Exchange("", other)) > 0.05


@pytest.mark.parametrize(
    "other",
    [
        LONG.replace("at once", "immediately").replace("is able to", "can").replace("does not", "doesn't"),
        "Wash the pan with:\n- warm water\n- a soft brush\n- a little mild soap\n\n" + LONG.split("soap. ")[1],
        "Good question! Here's what I can tell you:\n\n" + LONG + " I hope this helps!",
        LONG + " Store it in a dry cupboard.",
    ],
    ids=["synonyms", "list", "courtesies", "one sentence more"],
)
def test_a_long_answer_rearranged_says_the_same(meter: Meter, other: str) -> None:
    assert meter(Exchange(QUESTION, LONG), Exchange(QUESTION, other)) <= CHANGED


RENT = (
    "In most leases that are signed in this city the deposit for the flat is paid by the tenant when the keys are "
    "handed over, the repairs are paid by the landlord, and both of them keep a copy of the list."
)


@pytest.mark.parametrize(
    ("question", "one", "other"),
    [
        ("Who pays the deposit, the tenant or the landlord?", RENT, RENT.replace("by the tenant", "by the landlord")),
        ("", RENT, RENT.replace("by the tenant", "by the landlord")),
        ("", LONG, "Never do this if the pan is enamelled, since it cracks. " + LONG),
        ("", LONG, LONG + " Stop at once if it smokes."),
        ("", LONG, LONG + " Stop when it smokes."),
        ("", LONG, LONG + " However it may crack."),
    ],
    ids=["words of the question", "words of the other answer", "a warning before", "one after", "a stop", "a however"],
)
def test_a_choice_or_a_warning_is_more_than_another_wording(question: str, one: str, other: str) -> None:
    assert not alike(one, other), question


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mild soap", "strong bleach"),
        ("does not rust", "does rust"),
        ("Rub a thin layer of oil into the whole surface", "Rub the whole surface into a thin layer of oil"),
        ("Dry it at once", "Soak it overnight"),
    ],
)
def test_a_long_answer_with_one_thing_changed_is_not_alike(old: str, new: str) -> None:
    assert old in LONG
    assert not alike(LONG, LONG.replace(old, new))


def test_to_note_is_not_to_deny() -> None:
    assert alike(LONG, LONG.replace("Rub a", "Note that: rub a"))


@pytest.mark.parametrize(
    "text",
    [
        "I don't know.",
        "It is off.",
        "Here is the code: 1234",
        "Ask your doctor.",
        "I found it off.",
        "You have to ask.",
    ],
)
def test_a_sentence_that_says_something_is_no_courtesy(text: str) -> None:
    assert reading.bare(f"The lamp is in the hall. {text}") == f"The lamp is in the hall. {text}"


def test_an_answer_of_courtesies_alone_stays() -> None:
    assert reading.bare("I hope this helps!") == "I hope this helps!"


@pytest.mark.parametrize("words", [25, 32])
@pytest.mark.parametrize("flat", [True, False], ids=["without line breaks", "with them"])
def test_the_beginning_of_a_list_is_not_the_whole(meter: Meter, words: int, flat: bool) -> None:
    whole = "These are the steps:\n\n" + "\n".join(
        f"{number}. {step}"
        for number, step in enumerate(
            (
                "Boil water in a large pot with salt.",
                "Add the pasta and stir it for a minute.",
                "Taste a piece after eight minutes.",
                "Drain it, and keep a cup of the water.",
                "Toss it with the sauce over low heat.",
            ),
            1,
        )
    )
    cut = (
        " ".join(whole.split()[:words])
        if flat
        else whole[: whole.index(whole.split()[words], len(" ".join(whole.split()[:words])) - 8)]
    )
    assert meter(Exchange("how do I cook pasta", cut), Exchange("how do I cook pasta", whole)) > 0.3
