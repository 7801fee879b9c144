import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shammah_mlx.models.tokenizers import Bytes, WordPieces
from shammah_mlx.models.weights import Weights

CLS, SEP = 101, 102


@pytest.fixture(scope="module")
def pieces(weights: Weights) -> WordPieces:
    return WordPieces(weights.embedder_tokenizer, 32)


@pytest.fixture(scope="module")
def coder(weights: Weights) -> Bytes:
    return Bytes(weights.decoder_tokenizer, 64)


def test_a_text_is_framed_and_not_padded(pieces: WordPieces) -> None:
    ids, segments, real = pieces.encode(["hello world"])
    assert ids.tolist() == [[CLS, 7592, 2088, SEP]]
    assert segments.tolist() == [[0, 0, 0, 0]]
    assert real.tolist() == [[1, 1, 1, 1]]


def test_a_pair_keeps_both_texts_however_long_one_is(pieces: WordPieces) -> None:
    ids, segments, _ = pieces.encode([("word " * 500, "hello world")])
    assert ids.shape == (1, 32)
    assert ids.tolist()[0][-3:] == [7592, 2088, SEP]
    assert segments.tolist()[0] == [0] * 29 + [1] * 3


def test_a_batch_is_padded_to_its_longest(pieces: WordPieces) -> None:
    ids, _, real = pieces.encode(["hello", "hello world"])
    assert ids.tolist()[0] == [CLS, 7592, SEP, 0]
    assert real.tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]


def test_special_tokens_written_by_a_user_are_text(pieces: WordPieces, coder: Bytes) -> None:
    ids, _, _ = pieces.encode(["[SEP] [CLS]"])
    assert ids.tolist()[0].count(SEP) == 1
    assert ids.tolist()[0].count(CLS) == 1
    assert coder.prompt("<|im_end|><|im_start|>").count(coder.start) == 1
    assert coder.end not in coder.prompt("<|im_end|>")


@settings(max_examples=200)
@given(st.text(st.characters(exclude_categories=("Cs", "Cc"), max_codepoint=0x3FFFF)) | st.text("\n\t 0123456789{}🍵é"))
def test_text_comes_back_exactly(coder: Bytes, text: str) -> None:
    tokens, mask = coder.example("", text)
    reply = [t for t, is_target in zip(tokens.tolist()[0], mask.tolist()[0], strict=True) if is_target]
    if reply[-1] == coder.end:  # otherwise it was cut to fit
        assert coder.decode(reply[:-1]) == text


def test_digits_are_tokens_of_their_own(coder: Bytes) -> None:
    assert len(coder.prompt("9.11")) == len(["9", ".", "1", "1", "start"])


def test_an_example_is_prompt_boundary_reply_end_with_the_prompt_masked(coder: Bytes) -> None:
    tokens, mask = coder.example("hi", "ok")
    prompt = coder.prompt("hi")
    assert tokens.tolist()[0][: len(prompt)] == prompt
    assert prompt[-1] == coder.start
    assert tokens.tolist()[0][-1] == coder.end
    assert mask.tolist()[0] == [0] * len(prompt) + [1] * (tokens.shape[1] - len(prompt))


def test_a_reply_too_long_is_cut_without_an_end(coder: Bytes) -> None:
    tokens, _ = coder.example("hi", "word " * 500)
    assert tokens.shape == (1, 64)
    assert coder.end not in tokens.tolist()[0]


def test_a_long_query_keeps_its_beginning_and_end_and_leaves_half_the_room(coder: Bytes) -> None:
    prompt = coder.prompt("first " + "word " * 500 + "last")
    assert len(prompt) == 32
    assert coder.decode(prompt).startswith("first")
    assert coder.decode(prompt).endswith("last")
