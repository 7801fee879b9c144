"""A reply in other words: nothing that decides is added, lost or changed."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import phrases
from benchmarks.reword import reworded
from benchmarks.rewording import is_command, reword
from benchmarks.sentences import NUMBER_WORDS, is_counted, is_dispensable, split, stands_alone

SENTENCES = (
    "The pump runs for three hours a day.",
    "It needs 2 filters, at 4.5 bar.",
    "You do not need to clean it every week.",
    "However, it can't run dry, such as after a leak.",
    "Some people wait 2 days.",
    "Wear gloves: red, green and blue.",
    "Check `--all -n 3` and 'filter 7' first.",
    "Read /var/log/pump_2.log or http://pump.example/v1.2 for more information.",
    "Remember to keep the manual.",
    "The valve is closed, e.g. in winter.",
    "Dr. Lee says it isn't safe.",
    "If you have been away, don't start it immediately.",
    "For example, open the lid.",
    "[[Would you like to know more?]]",
    "The tank has several parts.",
    "Many people use a sieve in order to save time.",
    "The light has been turned on.",
    "Steel pipes last longest.",
    "The valves are brass.",
    "Copper pipes are soft, because they bend.",
)
SEEDS = range(40)
texts = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=9).flatmap(
    lambda chosen: st.sampled_from((" ", "\n\n", "\n- ")).map(lambda apart: apart.join(chosen))
)


def numbers(text: str) -> Counter[str]:
    figures = {word: str(value) for value, word in enumerate(NUMBER_WORDS, 2)}
    written = re.sub(rf"\b(?:{'|'.join(figures)})\b", lambda word: figures[word[0].lower()], text, flags=re.IGNORECASE)
    return Counter(re.findall(r"\d+(?:[.,:]\d+)*", written))


def negations(text: str) -> int:
    full = text.replace("can't", "can not").replace("won't", "will not").replace("cannot", "can not")
    return len(re.findall(r"\b(?:not|no|never|without)\b|n't\b", full, re.IGNORECASE))


def literal(text: str) -> Counter[str]:
    return Counter(re.findall(r"`[^`]+`|'[^']+'(?!\w)|https?://\S+|/\S+_\S+", text))


@given(texts, st.integers(0, 10_000))
def test_numbers_negations_and_code_survive(text: str, seed: int) -> None:
    said = reword(text, "how does it work", seed)
    assert numbers(said) == numbers(text)
    assert negations(said) == negations(text)
    assert literal(said) == literal(text)


@given(texts, st.integers(0, 100))
def test_the_seed_decides(text: str, seed: int) -> None:
    assert reword(text, "what is it", seed, "row 1") == reword(text, "what is it", seed, "row 1")


@given(texts.filter(lambda text: "\n" not in text))
def test_sentences_are_split_without_loss(text: str) -> None:
    assert " ".join(split(text)) == text


@given(
    st.from_regex(r"find [./~] -name '\*\.[a-z]{1,3}'( -mtime -\d)?( \| wc -l)?", fullmatch=True), st.integers(0, 99)
)
def test_a_command_stays_to_the_letter(command: str, seed: int) -> None:
    said = reword(command, "find files", seed)
    assert said.count(command) == 1
    assert not re.search(r"\d", said.replace(command, ""))


@pytest.mark.parametrize("reply", ["9.9", "38", "-3", "distance", "shopping_list_update", "Paris", "history", "yes"])
def test_a_short_answer_is_said_in_many_ways(reply: str) -> None:
    said = {reword(reply, "which", seed) for seed in SEEDS}
    assert len(said) >= 5
    assert all(reply.lower() in each.lower() for each in said)
    assert all(numbers(each) == numbers(reply) for each in said)


def test_steps_stay_in_order() -> None:
    steps = ["1. Steel pipes go in.", "2. Brass valves go on.", "3. Copper wires go over."]
    for seed in SEEDS:
        said = reword("\n".join(steps), "how do I build it", seed)
        assert [said.index(step[3:9]) for step in steps] == sorted(said.index(step[3:9]) for step in steps)


def test_the_first_sentence_stays_first_and_only_long_answers_lose_one() -> None:
    short = "Steel pipes last longest. The valves are brass. Remember to keep the manual."
    for seed in SEEDS:
        said = reword(short, "which pipe", seed)
        assert said.index("teel pipes") < said.index("alves are brass")
        assert "keep the manual" in said


@pytest.mark.parametrize(
    "sentence", ["They bend.", "However, pipes do bend a lot.", "Then pipes are laid out.", "Is it so?"]
)
def test_a_sentence_that_leans_on_another_may_not_move(sentence: str) -> None:
    assert not stands_alone(sentence)


@pytest.mark.parametrize(
    "sentence", ["Remember to take 2 of them.", "Please keep it without water.", "Steel pipes rust."]
)
def test_what_may_decide_is_not_dispensable(sentence: str) -> None:
    assert not is_dispensable(sentence)


@pytest.mark.parametrize("text", ["ls", "Use the blue one.", "The door is open", "distance", "9.9", '{"intent": "x"}'])
def test_only_a_command_line_counts_as_a_command(text: str) -> None:
    assert not is_command(text)
    assert is_command("find . -type f")


def test_no_courtesy_has_a_number_a_negation_or_a_yes() -> None:
    added = phrases.OPENINGS + phrases.LONG_OPENINGS + phrases.CLOSINGS + phrases.DONE_CLOSINGS + phrases.NOTES
    assert not [
        each for each in added if is_counted(each) or negations(each) or each.lower().startswith(("yes", "no "))
    ]
    assert len(set(phrases.OPENINGS)) >= 15
    assert len(set(phrases.CLOSINGS)) >= 15


def test_a_reworded_stream_keeps_all_but_the_reply() -> None:
    rows = [
        {"id": f"r{n}", "query": "which", "reply": "9.9", "topic": "t", "also": ["u"], "tail": False} for n in range(30)
    ]
    new = reworded(rows, 1)
    assert [{**row, "reply": "9.9"} for row in new] == rows
    assert len({row["reply"] for row in new}) > 5
    assert reworded(rows, 2) != new
