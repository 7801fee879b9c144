"""A meter that can be believed: pairs of answers, half the same in other words, half different in one decisive way."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.config import DivergenceConfig
from shammah_mlx.models.embedder import Embedder
from shammah_mlx.models.weights import Weights
from shammah_mlx.text import rules
from shammah_mlx.text.divergence import Meter, gated

SAME = [
    ("391", "17 multiplied by 23 equals 391."),
    ("Paris", "The capital of France is Paris."),
    ("Bryophytes", "bryophyte"),
    ("£50m", "The skull was sold for £50 million."),
    ("Brazil, Colombia and Ecuador", "The Equator crosses three countries there: Ecuador, Colombia, and Brazil."),
    ("the structure of DNA", "They received it for the discovery of the double helix structure of DNA."),
    ("1,000 metres", "1000 metres"),
    ("$50 million", "It was sold for $50 million."),
    ("No.", "No, it does not."),
    ("Three apples", "3 apples"),
    ("Yes.", "yes"),
    ("ls -la", "ls  -la"),
    ('find . -name "*.py"', "find . -name '*.py'"),
    ("`git status`", "git status"),
    ("Café au lait", "cafe au lait"),
    (
        "Water boils at 100 °C at sea level. At higher altitude the boiling point falls, since the air pressure is lower.",
        "At sea level water boils at 100 °C. The boiling point falls at higher altitude because the air pressure is lower.",
    ),
    (
        "To undo the last commit and keep your changes staged, run `git reset --soft HEAD~1` in the repository you are in.",
        "Run `git reset --soft HEAD~1` in the repository: it undoes the last commit and keeps your changes staged for you.",
    ),
    (
        "Photosynthesis lets plants turn sunlight, water and carbon dioxide into sugar and oxygen inside their leaves.",
        "In their leaves, plants use photosynthesis to turn sunlight, water and carbon dioxide into oxygen and sugar.",
    ),
    (
        "A list can be changed after it is made, while a tuple cannot be changed; use a tuple for what should stay fixed.",
        "Tuples cannot be changed once made, lists can; use a tuple for values that should stay fixed after you make it.",
    ),
]

DIFFERENT = [
    ("number", "391", "17 multiplied by 23 equals 381."),
    ("number", "Take 5 mg twice a day.", "Take 50 mg twice a day."),
    ("number", "It was founded in 1987.", "It was founded in 1978."),
    ("number", "9.11", "9.9"),
    ("sign", "The answer is -4.", "The answer is 4."),
    ("unit", "It weighs 5 kg.", "It weighs 5 g."),
    ("unit", "Bake it for 20 minutes.", "Bake it for 20 seconds."),
    ("negation", "It is safe with alcohol.", "It is not safe with alcohol."),
    ("negation", "You can eat the skin.", "You can't eat the skin."),
    (
        "negation",
        "You should take this medicine with food, since that protects the stomach and makes it easier to bear for you.",
        "You should not take this medicine with food, since that protects the stomach and makes it easier to bear for you.",
    ),
    ("flag", "git reset --soft HEAD~1", "git reset --hard HEAD~1"),
    ("flag", "rm -r build", "rm -f build"),
    (
        "flag",
        "To undo the last commit run `git reset --soft HEAD~1` in the folder of the repository that you are working in now.",
        "To undo the last commit run `git reset --hard HEAD~1` in the folder of the repository that you are working in now.",
    ),
    ("path", "cat /etc/hosts", "cat /etc/passwd"),
    (
        "path",
        "The setting that you are looking for is kept in the file /etc/hosts, which you can edit as an administrator only.",
        "The setting that you are looking for is kept in the file /etc/fstab, which you can edit as an administrator only.",
    ),
    ("identifier", "Call parse_date(text).", "Call parse_time(text)."),
    ("identifier", "cancel_reservation", "confirm_reservation"),
    ("order", "Alice beat Bob.", "Bob beat Alice."),
    ("order", "First salt, then pepper", "First pepper, then salt"),
    ("entity", "Paris", "London"),
    ("entity", "It was written by Jane Austen.", "It was written by Emily Bronte."),
    (
        "entity",
        "The largest planet of the solar system by mass and by volume, with dozens of moons around it, is called Jupiter.",
        "The largest planet of the solar system by mass and by volume, with dozens of moons around it, is called Saturn.",
    ),
    ("opposite", "Sort the rows in ascending order.", "Sort the rows in descending order."),
    (
        "opposite",
        "Turn the valve to the left until you hear a click, then wait for the light and close the lid with both your hands.",
        "Turn the valve to the right until you hear a click, then wait for the light and close the lid with both your hands.",
    ),
    ("operator", "a + b", "a - b"),
    ("negation", "Recommended.", "Not recommended."),
    ("negation", "Safe with alcohol.", "It is not safe with alcohol."),
    ("negation", "Paris", "It is not Paris."),
    ("negation", "Enable it", "Never enable it"),
    ("opposite", "Yes.", "No, but yes sometimes."),
    ("opposite", "It increases.", "It increases? No: it decreases."),
    ("operator", "a+b", "a-b"),
    ("entity", "C++", "C#"),
    ("entity", "C", "C++"),
    ("grade", "A+", "A-"),
    ("sign", "\N{MINUS SIGN}5", "5"),
    ("number", ".5 mg", "5 mg"),
    ("power", "10⁶", "106"),
    ("unit", "5%", "5"),
    ("unit", "€5", "£5"),
    ("unit", "5 m", "5 million"),
    ("unit", "It costs 50 €.", "It costs 50 £."),
    ("symbol", "👍", "👎"),
    ("script", "काला", "कीली"),
    ("script", "はし", "ばし"),
    ("code", "x = [i for i in range(10)]", "x = [i for i in range(11)]"),
    (
        "tail",
        "Open the settings of the machine. Choose the network tab. Wait for the list to fill. " * 6
        + "Then press delete.",
        "Open the settings of the machine. Choose the network tab. Wait for the list to fill. " * 6
        + "Bananas are yellow.",
    ),
]


@pytest.fixture(scope="module")
def meter(weights: Weights) -> Meter:
    return gated(Embedder(weights.embedder))


THRESHOLD = DivergenceConfig(kind="gated").threshold


@pytest.mark.parametrize(("one", "other"), SAME)
def test_other_words_do_not_diverge(meter: Meter, one: str, other: str) -> None:
    assert meter(one, other) < THRESHOLD
    assert meter(other, one) < THRESHOLD


@pytest.mark.parametrize(("kind", "one", "other"), DIFFERENT)
def test_one_decisive_difference_diverges(meter: Meter, kind: str, one: str, other: str) -> None:
    assert meter(one, other) >= THRESHOLD
    assert meter(other, one) >= THRESHOLD


phrases = st.lists(
    st.sampled_from(
        ["apple", "apples", "pear", "of", "the", "not", "no", "safe", "unsafe", "5", "-5", "five", "%", ","]
    ),
    max_size=7,
).map(" ".join)


@given(phrases | st.text(), phrases | st.text())
def test_rules_are_symmetric_and_hold_for_any_text(one: str, other: str) -> None:
    assert rules.same(one, other) == rules.same(other, one)
    assert rules.same(one, one) is not False


@given(st.text())
def test_chunks_lose_no_word(text: str) -> None:
    assert " ".join(rules.chunks(text)).split() == text.split()


@pytest.mark.parametrize(
    "piece",
    ["x.\n", ".", "a-", "a.", "word_", "(", "-", "`", "/", "A ", "5 ", "-- ", ", ", "a, ", "```\n", "a ' ", '{"a",\n'],
)
def test_the_rules_take_no_long_time_over_any_text(piece: str) -> None:
    text = piece * (rules.LONGEST // len(piece))
    started = time.perf_counter()
    rules.same(text, f"{text} more")
    assert time.perf_counter() - started < 5
