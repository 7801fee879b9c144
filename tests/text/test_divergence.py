import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from shammah_mlx.config import DivergenceConfig
from shammah_mlx.models.embedder import Embedder
from shammah_mlx.models.weights import Weights
from shammah_mlx.text.divergence import Meter, bleu, exact, make_meter, semantic


@pytest.fixture(scope="module")
def embedder(weights: Weights) -> Embedder:
    return Embedder(weights.embedder)


@pytest.fixture(scope="module")
def meters(embedder: Embedder) -> list[Meter]:
    return [make_meter(DivergenceConfig(kind=kind), embedder) for kind in ("semantic", "exact", "bleu")]


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_every_meter_stays_between_0_and_1(meters: list[Meter], draft: str, reply: str) -> None:
    for meter in meters:
        assert 0.0 <= meter(draft, reply) <= 1.0


def test_the_same_text_does_not_diverge(meters: list[Meter]) -> None:
    text = "Use git reset --soft HEAD~1 to undo the commit and keep the changes."
    for meter in meters:
        assert meter(text, text) == pytest.approx(0.0, abs=1e-5)


def test_semantic_divergence_is_cosine_distance(embedder: Embedder) -> None:
    a, b = "The cat sat on the mat.", "A feline rested on the rug."
    ours, theirs = embedder([a, b]).astype(np.float64)
    expected = 1 - ours @ theirs / np.linalg.norm(ours) / np.linalg.norm(theirs)
    assert semantic(embedder)(a, b) == pytest.approx(expected, abs=1e-5)


def test_semantic_divergence_tells_a_paraphrase_from_another_subject(embedder: Embedder) -> None:
    meter, threshold = semantic(embedder), DivergenceConfig().threshold
    assert meter("Water boils at 100 degrees Celsius.", "The boiling point of water is 100 °C.") < threshold
    assert meter("Water boils at 100 degrees Celsius.", "Use tar -xzf to unpack an archive.") > threshold


def test_opposite_vectors_diverge_by_one() -> None:
    assert semantic(lambda texts: np.array([[1.0 if texts == ["a"] else -1.0, 0.0]]))("a", "b") == 1.0


@pytest.mark.parametrize(
    ("draft", "reply"),
    [
        ("the cat sat on the mat", "the cat sat on a mat"),
        ("git reset --soft HEAD~1", "git reset --hard HEAD~1"),
        ("short", "a much longer reply than that"),
        ("", "something"),
    ],
)
def test_bleu_divergence_is_one_minus_sacrebleus_sentence_bleu(draft: str, reply: str) -> None:
    assert bleu(draft, reply) == pytest.approx(1 - sacrebleu.sentence_bleu(draft, [reply]).score / 100)


def test_bleu_of_a_known_pair() -> None:
    # By hand: precisions 5/6, 3/5, 2/4, 1/3, no brevity penalty; their geometric mean is 0.5373.
    assert bleu("the cat sat on the mat", "the cat sat on a mat") == pytest.approx(1 - 0.5373, abs=1e-4)


def test_exact_divergence_is_all_or_nothing() -> None:
    assert (exact("ls -l", "ls -l"), exact("ls -l", "ls  -l")) == (0.0, 1.0)


@pytest.mark.parametrize(("kind", "threshold"), [("semantic", 0.3), ("bleu", 0.4), ("exact", 0.5)])
def test_each_option_has_its_own_threshold(kind: str, threshold: float) -> None:
    assert DivergenceConfig(kind=kind).threshold == threshold  # type: ignore[arg-type]
