"""The three roles of the `literal` preset: networks trained from scratch, one step at a time."""

from collections.abc import Callable, Collection, Iterable, Mapping

from shammah_mlx.config import Config, DecoderConfig
from shammah_mlx.errors import BadInputError
from shammah_mlx.events import ROLES, Draft, DraftSource, Exchange, Query, Role, Show, Step
from shammah_mlx.framework.loop import GiveWay, do_nothing, show_nobody
from shammah_mlx.framework.targets import Target, Withdrawal
from shammah_mlx.learners.gradient import Batch, Learner, label_loss, text_loss
from shammah_mlx.learners.roles import PersistentRoles
from shammah_mlx.models.backend import Arrays, mx, scalar
from shammah_mlx.models.decoder import Decoder
from shammah_mlx.models.encoder import EncoderClassifier
from shammah_mlx.models.tokenizers import Bytes, WordPieces
from shammah_mlx.models.weights import Weights


class ScratchRoles(PersistentRoles):
    """Router, Generator and Validator, each a network with its own learner."""

    def __init__(self, config: Config, weights: Weights) -> None:
        self._router_tokens = WordPieces(weights.embedder_tokenizer, config.router.max_tokens)
        self._validator_tokens = WordPieces(weights.embedder_tokenizer, config.validator.max_tokens)
        self._generator_tokens = Bytes(weights.decoder_tokenizer, config.decoder.max_tokens)
        _check_vocabulary("router", config.router.vocab, self._router_tokens.size)
        _check_vocabulary("validator", config.validator.vocab, self._validator_tokens.size)
        _check_vocabulary("decoder", config.decoder.vocab, self._generator_tokens.size)
        keys = dict(zip(ROLES, mx.random.split(mx.random.key(config.seed), len(ROLES)), strict=True))
        self._shape = config.decoder
        self._router = Learner("router", EncoderClassifier(config.router, keys["router"]), label_loss, config.optimizer)
        self._generator = Learner("generator", Decoder(config.decoder, keys["generator"]), text_loss, config.optimizer)
        self._validator = Learner(
            "validator", EncoderClassifier(config.validator, keys["validator"]), label_loss, config.optimizer
        )
        self._learners = {learner.role: learner for learner in (self._router, self._generator, self._validator)}

    def p_local(self, query: Query) -> dict[DraftSource, float]:
        """Return the Router's probability that a local answer will do."""
        return {"decoder": _probability(self._router, self._router_tokens.encode([query.prompt]))}

    def draft(
        self,
        query: Query,
        source: DraftSource,  # noqa: ARG002  there is one
        show: Show = show_nobody,  # noqa: ARG002  drafts are short
        give_way: GiveWay | None = None,  # noqa: ARG002
    ) -> Draft:
        """Write an answer by greedy decoding."""
        ids = decode_greedily(
            self._generator.model, self._generator_tokens.prompt(query.prompt), self._generator_tokens.end, self._shape
        )
        return Draft(self._generator_tokens.decode(ids), "decoder")

    def p_accept(self, query: Query, draft: Draft) -> float:
        """Return the Validator's probability that the draft is good."""
        return _probability(self._validator, self._validator_tokens.encode([(query.prompt, draft.text)]))

    def answered(self, query: Query, draft: Draft) -> Exchange:
        """Return the draft as an answer to the query."""
        return Exchange(query.text, draft.text)

    def step(self, target: Target, rate: float, give_way: GiveWay = do_nothing) -> Step:  # noqa: ARG002  steps are short
        """Train one model on one example."""
        if target.withdrawn:
            return Step(target.role, None, applied=False)
        return self._learners[target.role].step([self._batch(target)], rate)

    def withdraw(self, withdrawal: Withdrawal) -> None:
        """Do nothing: these roles keep no answer, and learn from none twice."""

    def state(self) -> dict[str, Arrays]:
        """Return everything trained, by file: each model's weights, and all Adam states under `optimizer_state`."""
        files: dict[str, Arrays] = {role: learner.weights() for role, learner in self._learners.items()}
        optimizers = {
            f"{role}.{name}": array
            for role, learner in self._learners.items()
            for name, array in learner.optimizer_state().items()
        }
        return {**files, "optimizer_state": optimizers}

    def saved(self) -> None:
        """Hold everything as before: these roles have no memory of questions."""

    def load(
        self,
        state: Mapping[str, Arrays],
        changed: Collection[str],  # noqa: ARG002  only features depend on versions; networks have none
        replies: Callable[[], Iterable[Target | Withdrawal]],  # noqa: ARG002  the weights hold all that was learnt
    ) -> None:
        """Continue from what `state` returned.

        Raises:
            ValueError: the arrays do not fit these models.
        """
        for role, learner in self._learners.items():
            mine = {
                name.removeprefix(f"{role}."): array
                for name, array in state["optimizer_state"].items()
                if name.startswith(f"{role}.")
            }
            learner.load(state[role], mine)

    def distance_from(self, earlier: Mapping[str, Arrays]) -> dict[str, float]:
        """Return how far each model's weights are, in L2, from those of an earlier `state`."""
        now = self.state()

        def distance(role: Role) -> float:
            squares = [mx.square(now[role][name] - earlier[role][name]).sum() for name in now[role]]
            return scalar(mx.sqrt(mx.stack(squares).sum()))

        return {role: distance(role) for role in ROLES}

    def _batch(self, target: Target) -> Batch:
        match target:
            case Target(role="generator", response=str(reply)):
                return self._generator_tokens.example(target.query.prompt, reply)
            case Target(role="validator", response=str(draft)):
                encoded = self._validator_tokens.encode([(target.query.prompt, draft)])
            case _:
                encoded = self._router_tokens.encode([target.query.prompt])
        return (*encoded, mx.array([float(target.label or 0)]))


def _check_vocabulary(model: str, rows: int, needed: int) -> None:
    if rows < needed:
        raise BadInputError(
            f"{model}.vocab is {rows}, but its tokenizer has {needed} tokens", "raise it in config.toml"
        )


def _probability(learner: Learner, batch: Batch) -> float:
    return scalar(mx.sigmoid(learner.model(*batch)))


def decode_greedily(decoder: Decoder, prompt: list[int], end: int, shape: DecoderConfig) -> list[int]:
    """Return the most probable continuation of `prompt`, up to `end` or the config's limits."""
    cache = decoder.make_cache()
    ids: list[int] = []
    logits = decoder(mx.array([prompt]), cache)
    for _ in range(min(shape.max_draft_tokens, shape.max_tokens - len(prompt))):
        token = int(scalar(mx.argmax(logits[0, -1])))
        if token == end:
            break
        ids.append(token)
        logits = decoder(mx.array([[token]]), cache)
    return ids
