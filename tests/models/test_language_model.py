"""The pretrained decoder, with real weights against mlx-lm's own generation, and with tiny ones where it is trained."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from shammah_mlx.config import LoraConfig, OptimizerConfig
from shammah_mlx.errors import WeightsError
from shammah_mlx.learners.gradient import Learner, text_loss
from shammah_mlx.models.backend import mx, scalar, tree_flatten
from shammah_mlx.models.language_model import (
    CachedReader,
    LanguageModel,
    LayerByLayer,
    TextStream,
    adapter_config,
    draw_adapters,
)
from shammah_mlx.models.training_copy import TrainingCopy
from shammah_mlx.models.weights import Weights
from tests.conftest import TINY_LORA

EGG = (
    "How do I boil an egg?",
    "Put the egg into boiling water for eight minutes, then cool it under cold water and peel it.",
)
SHORT = 12  # tokens
TIE = 1e-4  # in logits, between a pass over one token and one over several


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def smol(weights: Weights) -> LanguageModel:
    return LanguageModel(weights.decoder, LoraConfig(), 0)


@pytest.fixture(scope="module")
def prompts(smol: LanguageModel) -> list[list[int]]:
    return [
        smol.chat.prompt("What is the capital of France?", None),
        smol.chat.prompt("How long does an egg boil?", EGG),
        smol.chat.prompt("List three colours. 🍵", ("List two animals.", "1. Cat\n2. Dog")),
    ]


def adapters(model: LanguageModel) -> dict[str, mx.array]:
    return dict(tree_flatten(model.network.trainable_parameters()))


def test_it_knows_the_capital_of_france_and_reads_english(smol: LanguageModel, prompts: list[list[int]]) -> None:
    assert smol.write(prompts[0]).text == "The capital of France is Paris."
    ids = smol.chat.encode(
        "The quick development of computers in the twentieth century changed the way people work. Machines that once "
        "filled whole rooms now fit in a pocket, and they are connected by a network that spans the globe."
    )
    perplexity = math.exp(scalar(text_loss(smol.network, (mx.array([ids]), mx.ones((1, len(ids)))))))
    assert perplexity < 35  # hundreds where rows of q and k are out of order


def test_it_writes_what_mlx_lm_writes(smol: LanguageModel, prompts: list[list[int]]) -> None:
    from mlx_lm.generate import generate_step

    for prompt in prompts:
        theirs = [
            (token, log_p[token].item())
            for token, log_p in generate_step(mx.array(prompt), smol.network, max_tokens=SHORT)
        ]
        ours = smol.write(prompt, limit=SHORT)
        until_end = [token for token, _ in theirs][: len(ours.written.ids)]
        assert ours.written.ids == until_end
        log_p = [p for _, p in theirs][: len(ours.written.log_p)]
        assert ours.mean_log_p == pytest.approx(np.mean(log_p), abs=1e-4)


def test_a_guess_changes_nothing_but_the_number_of_passes(smol: LanguageModel, prompts: list[list[int]]) -> None:
    for prompt in prompts:
        plain = smol.write(prompt, limit=SHORT)
        words = plain.text.split(" ")
        half_wrong = " ".join([*words[: len(words) // 2], "wrong", *words[len(words) // 2 + 1 :]])
        for guess in (plain.text, half_wrong, "<|im_end|>" + "the " * 30):
            guessed = smol.write(prompt, guess, SHORT)
            assert_same_but_for_ties(smol, prompt, plain.written.ids, guessed.written.ids)
            if guess == plain.text:
                assert guessed.written.passes < 0.6 * plain.written.passes


def assert_same_but_for_ties(model: LanguageModel, prompt: list[int], plain: list[int], other: list[int]) -> None:
    if plain == other:
        return
    place = next(i for i, (a, b) in enumerate(zip([*plain, -1], [*other, -1], strict=False)) if a != b)
    logits = model.network(mx.array([prompt + plain[:place]]))[0, -1]
    second, first = np.sort(np.array(logits))[-2:]
    assert first - second < TIE


def test_its_text_comes_piece_by_piece_and_never_in_half_a_character(smol: LanguageModel) -> None:
    pieces: list[str] = []
    text = smol.write(smol.chat.prompt("What is the capital of France?", None), on_text=pieces.append).text
    assert len(pieces) > 2
    assert "".join(pieces) == text
    assert not any("\ufffd" in piece for piece in pieces[:-1])


def test_half_a_character_is_held_back(tiny_model: LanguageModel) -> None:
    told: list[str] = []
    stream = TextStream(tiny_model.chat.decode, told.append)
    ids = tiny_model.chat.encode("a🍵b")
    for end in range(1, len(ids) + 1):
        stream.update(ids[:end])
    assert stream.close(ids) == "a🍵b"
    assert told == ["a", "🍵", "b"]
    halves = [stream.close(ids[:end], is_whole=False) for end in range(1, len(ids))]
    assert set(halves) == {"a", "a🍵"}
    assert len(ids) > 3


def test_a_chat_is_what_the_template_says_with_the_past_exchange_before(smol: LanguageModel) -> None:
    import mlx_lm

    tokenizer: Any = mlx_lm.load(smol.source)[1]
    rendered = tokenizer.apply_chat_template(
        [
            {"role": "system", "content": ""},  # without it, the template adds a longer one
            {"role": "user", "content": EGG[0]},
            {"role": "assistant", "content": EGG[1]},
            {"role": "user", "content": "And two?"},
        ],
        add_generation_prompt=True,
    )
    assert smol.chat.prompt("And two?", EGG) == rendered


@pytest.mark.parametrize("system", ["{{ raise_exception('no system') }}", "rules: {{ m.content }}"])
def test_a_system_message_is_left_out_where_the_template_takes_none_or_is_longer_with_one(
    tiny_folder: Path, tmp_path: Path, system: str
) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    of_system = "{% if m.role == 'system' %}" + system + "{% else %}{{ m.content }}{% endif %}"
    settings["chat_template"] = "{% for m in messages %}" + of_system + "{% endfor %}"
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    chat = LanguageModel(folder, TINY_LORA, 0).chat
    assert chat.decode(chat.prompt("question", ("known", "answer"))) == "knownanswerquestion"


@pytest.mark.parametrize("template", ["{{ raise_exception('no') }}", "{{ messages[0].content }}"])
def test_a_template_that_leaves_a_part_out_is_refused(tiny_folder: Path, tmp_path: Path, template: str) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings["chat_template"] = template
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(WeightsError, match="refuses a chat"):
        LanguageModel(folder, TINY_LORA, 0)


def test_special_tokens_written_by_a_user_are_text(tiny_model: LanguageModel) -> None:
    chat = tiny_model.chat
    plain, hostile = chat.prompt("x", ("x", "x")), chat.prompt("<|im_end|>", ("<|im_start|>", "<|im_end|>"))
    for special in (chat.end, 0, 1):
        assert plain.count(special) == hostile.count(special)
    tokens, mask = chat.example("x", None, "a <|im_end|> b")
    reply = [token for token, is_target in zip(tokens, mask, strict=True) if is_target]
    assert reply.count(chat.end) == 1
    assert chat.decode(reply[:-1]) == "a <|im_end|> b"


def test_a_long_prompt_loses_its_middle_and_leaves_room_for_the_reply(tiny_model: LanguageModel) -> None:
    chat = tiny_model.chat
    known = ("first " + "word " * 900 + "last", "begin " + "reply " * 900 + "finish")
    prompt = chat.prompt("start " + "query " * 900 + "stop", known)
    assert len(prompt) == TINY_LORA.max_tokens - TINY_LORA.max_draft_tokens
    text = chat.decode(prompt)
    assert all(word in text for word in ("first", "last", "begin", "finish", "start", "stop"))
    written = tiny_model.write(prompt)
    assert len(written.written.ids) <= TINY_LORA.max_draft_tokens


def test_a_reply_too_long_is_cut_without_an_end(tiny_model: LanguageModel) -> None:
    tokens, mask = tiny_model.chat.example("x", None, "word " * 900)
    assert len(tokens) == len(mask) == TINY_LORA.max_tokens
    assert tokens[-1] != tiny_model.chat.end


def test_adapters_start_at_no_change_from_the_seed_alone(tiny_folder: Path) -> None:
    import mlx_lm

    mx.random.seed(7)
    expected = mx.random.uniform().item()
    mx.random.seed(7)
    one = LanguageModel(tiny_folder, TINY_LORA, 0)
    assert mx.random.uniform().item() == expected
    again, other = LanguageModel(tiny_folder, TINY_LORA, 0), LanguageModel(tiny_folder, TINY_LORA, 1)
    assert all(mx.array_equal(value, adapters(again)[name]).item() for name, value in adapters(one).items())
    assert not all(mx.array_equal(value, adapters(other)[name]).item() for name, value in adapters(one).items())
    assert {value.dtype for value in adapters(one).values()} == {mx.float32}
    assert {name.rsplit(".", 1)[1] for name in adapters(one)} == {"lora_a", "lora_b"}
    base, _ = mlx_lm.load(str(tiny_folder))  # type: ignore[misc] # two values unless asked for three
    ids = mx.array([[5, 6, 7]])
    assert mx.array_equal(base(ids), one.network(ids)).item()


def test_writing_changes_nothing(tiny_folder: Path) -> None:
    model = LanguageModel(tiny_folder, TINY_LORA, 0)
    before = adapters(model)
    model.write(model.chat.prompt("x", None), "a guess", 4)
    assert all(mx.array_equal(value, adapters(model)[name]).item() for name, value in before.items())


def test_trained_adapters_load_through_mlx_lm(weights: Weights, smol: LanguageModel, tmp_path: Path) -> None:
    import mlx_lm

    training = TrainingCopy(smol.network)
    learner = Learner("generator", training.network, training.loss, OptimizerConfig(), training.compute)
    ids = mx.array([smol.chat.prompt("hello", None)])
    before = smol.network(ids)
    losses = [learner.step([smol.chat.example("Hi?", None, "Blue!")], 1e-3).loss or math.nan for _ in range(3)]
    smol.take(learner.weights())
    mx.save_safetensors(str(tmp_path / "adapters.safetensors"), learner.weights())
    (tmp_path / "adapter_config.json").write_bytes(msgspec.json.encode(adapter_config(LoraConfig())))
    theirs, _ = mlx_lm.load(str(weights.decoder), adapter_path=str(tmp_path))  # type: ignore[misc]
    theirs.set_dtype(mx.float32)  # or the embedding's fp16 is what differs
    after = smol.network(ids)
    draw_adapters(smol.network, 0)  # for the other tests
    assert losses == sorted(losses, reverse=True)
    assert scalar(mx.abs(after - before).max()) > 0.5
    assert scalar(mx.abs(theirs(ids) - after).max()) < 1e-3


def test_a_model_that_is_none_says_where_to_look(tmp_path: Path, tiny_folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError) as told:
        LanguageModel(tmp_path / "empty", LoraConfig(), 0)
    assert "lora.model" in told.value.hint
    config = msgspec.structs.replace(TINY_LORA, model=str(tiny_folder))
    assert LanguageModel(tmp_path / "empty", config, 0).source == str(tiny_folder)


@pytest.mark.parametrize(
    ("name", "content"), [("model.safetensors", b"half a file"), ("config.json", b'{"model_type": "llama"}')]
)
def test_a_damaged_model_says_where_to_look(tmp_path: Path, tiny_folder: Path, name: str, content: bytes) -> None:
    shutil.copytree(tiny_folder, tmp_path / "copy")
    (tmp_path / "copy" / name).write_bytes(content)
    with pytest.raises(WeightsError, match="mlx-lm cannot load"):
        LanguageModel(tmp_path / "copy", LoraConfig(), 0)


def test_a_model_without_a_chat_template_is_refused(tmp_path: Path, tiny_folder: Path) -> None:
    shutil.copytree(tiny_folder, tmp_path / "base")
    settings = json.loads((tmp_path / "base" / "tokenizer_config.json").read_text())
    del settings["chat_template"]
    (tmp_path / "base" / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(WeightsError, match="chat template"):
        LanguageModel(tmp_path / "base", LoraConfig(), 0)


def test_setup_keeps_the_precision_of_the_gguf(weights: Weights) -> None:
    shape = json.loads((weights.decoder / "config.json").read_text())
    assert (shape["num_hidden_layers"], shape["num_attention_heads"], shape["num_key_value_heads"]) == (30, 9, 3)
    stored = mx.load(str(weights.decoder / "model.safetensors"))
    assert isinstance(stored, dict)
    assert stored["model.layers.0.self_attn.q_proj.weight"].dtype == mx.uint32
    assert stored["model.layers.0.self_attn.q_proj.weight"].shape == (576, 576 * 4 // 32)


def test_what_all_prompts_begin_with_is_read_once_for_the_same_adapters(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = LanguageModel(tiny_folder, TINY_LORA, 0)
    read: list[list[int]] = []
    skim = CachedReader.skim

    def noting(self: CachedReader, ids: list[int]) -> None:
        read.append(ids)
        skim(self, ids)

    monkeypatch.setattr(CachedReader, "skim", noting)
    first, again = (model.write(model.chat.prompt("hello", None), limit=8) for _ in range(2))
    other = model.write(model.chat.prompt("hello", ("and", "this")), limit=8)
    assert first == again
    assert len(model.chat.common) > 3
    assert sum(ids == model.chat.common for ids in read) == 1
    model.take({name: array + 0.5 for name, array in adapters(model).items()})
    changed = model.write(model.chat.prompt("hello", None), limit=8)
    assert sum(ids == model.chat.common for ids in read) == 2
    assert changed.written.log_p != first.written.log_p
    afresh = LanguageModel(tiny_folder, TINY_LORA, 0)
    assert afresh.write(afresh.chat.prompt("hello", ("and", "this")), limit=8) == other


def test_read_layer_by_layer_the_logits_are_the_same_and_each_layer_is_computed_by_itself(
    tiny_model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = CachedReader(tiny_model.network).read(mx.array([5, 6, 7]))
    mx.eval(expected)
    count, evaluate = 0, mx.eval

    def counted(*arrays: object) -> None:
        nonlocal count
        count += 1
        evaluate(*arrays)

    monkeypatch.setattr(mx, "eval", counted)
    assert mx.array_equal(LayerByLayer(CachedReader(tiny_model.network)).read(mx.array([5, 6, 7])), expected).item()
    assert count == len(tiny_model.network.layers)
