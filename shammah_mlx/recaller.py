"""Router, Generator and Validator on evidence: drafts are Claude's own past answers, recalled by what was asked.

The same three roles as `ensemble`, for the same loop. The Generator is a memory; Router and Validator weigh what speaks
for its proposal. Nothing here is trained on anything but Claude's complete replies and measured divergences.
"""

import functools
from collections.abc import Callable, Mapping

import numpy as np

from shammah_mlx.backend import mx, scalar
from shammah_mlx.config import Config
from shammah_mlx.divergence import Embed, Meter
from shammah_mlx.errors import BadInputError
from shammah_mlx.events import Draft, Interaction, Query, Step
from shammah_mlx.evidence import EvidenceModel
from shammah_mlx.recall import EVIDENCE, Memory, Proposal
from shammah_mlx.targets import Target

Arrays = dict[str, mx.array]
Lookup = Callable[[int], Interaction]
"""Returns the interaction of a journal number."""

RECENT = 64  # questions whose vectors are kept: routing, drafting, judging and learning ask for the same


class Recaller:
    """The roles of one home whose drafts are recalled; `lookup` reads the texts, which only the journal holds."""

    def __init__(self, config: Config, embed: Embed, meter: Meter, lookup: Lookup) -> None:
        @functools.lru_cache(RECENT)
        def vector(text: str) -> np.ndarray:
            whole: np.ndarray = embed([text])[0]
            return whole

        if len(config.evidence.prior) != len(EVIDENCE):
            raise BadInputError(f"evidence.prior needs {len(EVIDENCE)} numbers", "mend it in config.toml")
        self._config, self._vector, self._meter, self._lookup = config, vector, meter, lookup
        self._memory = Memory(len(vector("")), config.recall)
        self._router = EvidenceModel(config.evidence.prior, config.evidence)
        self._validator = EvidenceModel((*config.evidence.prior, 0.0), config.evidence)

    def p_local(self, query: Query) -> float:
        """Return the Router's probability that a local answer will do; 0 if there is none."""
        proposal = self._propose(query)
        return 0.0 if proposal is None else self._router.probability(proposal.evidence)

    def draft(self, query: Query) -> Draft | None:
        """Return what Claude answered to the most telling past question."""
        proposal = self._propose(query)
        if proposal is None:
            return None
        source = self._lookup(proposal.number)
        return Draft(self._reply(proposal.number), "recall", source.turn.query.row or str(proposal.number))

    def p_accept(self, query: Query, draft: Draft) -> float:
        """Return the Validator's probability that the draft is good."""
        proposal = self._propose(query)
        return 0.0 if proposal is None else self._validator.probability(self._judged(query, draft.text, proposal))

    def step(self, target: Target, rate: float) -> Step:  # noqa: ARG002  nothing here has a rate
        """Learn one example: remember a reply, or weigh the evidence anew."""
        if target.role == "generator":
            self._remember(target)
            return Step("generator", None, applied=True)
        proposal = self._propose(target.query)
        if proposal is None or target.label is None or self._reply(proposal.number) != target.response:
            return Step(target.role, None, applied=False)  # the label is about a draft made before other learning
        if target.role == "router":
            return Step("router", self._router.step(proposal.evidence, target.label), applied=True)
        evidence = self._judged(target.query, target.response or "", proposal)
        return Step("validator", self._validator.step(evidence, target.label), applied=True)

    def state(self) -> dict[str, Arrays]:
        """Return everything learnt, by file."""
        files = {
            name: {key: mx.array(array) for key, array in part.state().items()} for name, part in self._parts().items()
        }
        return {**files, "optimizer_state": {"entries": mx.array(len(self._memory))}}

    def load(self, state: Mapping[str, Mapping[str, mx.array]]) -> None:
        """Continue from what `state` returned.

        Raises:
            ValueError: the arrays are not of such models.
            BadStateError: the journal does not hold what is remembered.
        """
        for name, part in self._parts().items():
            if state[name].keys() != part.state().keys():
                raise ValueError(f"{name} was made by another kind of model")
            part.load({key: np.array(array) for key, array in state[name].items()})
        if self._memory.last_number is not None:
            self._lookup(self._memory.last_number)  # a memory without its journal must fail before Claude is paid

    def distance_from(self, earlier: Mapping[str, Mapping[str, mx.array]]) -> dict[str, float]:
        """Return how far Router's and Validator's weights moved, in L2, and how many answers were remembered."""
        now = self.state()
        moved = {
            name: scalar(mx.linalg.norm(now[name]["weights"] - earlier[name]["weights"]))
            for name in ("router", "validator")
        }
        return {**moved, "generator": float(len(self._memory) - earlier["generator"]["answers"].size)}

    def _parts(self) -> dict[str, EvidenceModel | Memory]:
        return {"router": self._router, "generator": self._memory, "validator": self._validator}

    def _propose(self, query: Query) -> Proposal | None:
        if len(query.text) > self._config.recall.longest_query:
            return None
        return self._memory.propose(self._vector(query.text), query.context)

    def _judged(self, query: Query, draft: str, proposal: Proposal) -> np.ndarray:
        """Return the Validator's evidence: the proposal's, and how much the draft is about the query."""
        about = float(self._vector(query.text) @ self._vector(draft))
        return np.append(proposal.evidence, np.float32(about))

    def _remember(self, target: Target) -> None:
        if len(target.query.text) > self._config.recall.longest_query:
            return
        vector, context = self._vector(target.query.text), target.query.context
        reply = target.response or ""
        same = (
            answer
            for answer in self._memory.nearest(vector, context, self._config.recall.compared)
            if self._meter(self._reply(answer), reply) < self._config.divergence.threshold
        )
        self._memory.add(vector, next(same, target.number), target.number, context)

    def _reply(self, number: int) -> str:
        reply = self._lookup(number).reply
        return reply.text if reply else ""
