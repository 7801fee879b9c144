"""What each of the three models is fed, and that a step on it teaches it."""

import msgspec
import pytest

from shammah_mlx.config import Config
from shammah_mlx.errors import BadInputError
from shammah_mlx.events import ROLES, Draft, Query
from shammah_mlx.framework.targets import Target
from shammah_mlx.learners.scratch import ScratchRoles
from shammah_mlx.models.weights import Weights

QUERY = Query("what is a monad?")
TARGETS = {
    "router": Target("router", 1, QUERY, None, 1),
    "generator": Target("generator", 1, QUERY, "a monoid in the category of endofunctors", None),
    "validator": Target("validator", 1, QUERY, "a burrito", 1),
}


@pytest.fixture
def roles(tiny: Config, weights: Weights) -> ScratchRoles:
    return ScratchRoles(tiny, weights)


def test_the_validator_reads_query_and_draft(roles: ScratchRoles) -> None:
    for _ in range(60):
        roles.step(Target("validator", 1, QUERY, "a burrito", 0), 1e-2)
        roles.step(Target("validator", 1, QUERY, "an endofunctor", 1), 1e-2)
    bad, good = (roles.p_accept(QUERY, Draft(text, "decoder")) for text in ("a burrito", "an endofunctor"))
    other = roles.p_accept(Query("what is lunch?"), Draft("a burrito", "decoder"))
    assert good - bad > 0.2
    assert other != bad


def test_the_router_reads_the_query_with_its_system_prompt(roles: ScratchRoles) -> None:
    alone, other = roles.p_local(QUERY), roles.p_local(Query("another question entirely"))
    led = roles.p_local(Query(QUERY.text, system="Answer in French."))
    assert len({p["decoder"] for p in (alone, other, led)}) == 3


@pytest.mark.parametrize("role", ROLES)
def test_a_step_teaches_its_own_model_and_no_other(roles: ScratchRoles, role: str) -> None:
    before = roles.state()
    losses = [roles.step(TARGETS[role], 1e-2).loss or 0.0 for _ in range(8)]
    assert losses[-1] < 0.95 * losses[0]
    moved = {name for name, distance in roles.distance_from(before).items() if distance > 0}
    assert moved == {role}


def test_state_holds_each_optimizer_under_its_models_name(roles: ScratchRoles) -> None:
    roles.step(TARGETS["router"], 1e-3)
    steps = {role: roles.state()["optimizer_state"][f"{role}.step"].item() for role in ROLES}
    assert steps == {"router": 1, "generator": 0, "validator": 0}


def test_another_seed_starts_elsewhere(tiny: Config, weights: Weights, roles: ScratchRoles) -> None:
    other = ScratchRoles(msgspec.structs.replace(tiny, seed=1), weights)
    assert all(distance > 0 for distance in other.distance_from(roles.state()).values())
    same = ScratchRoles(tiny, weights)
    assert same.distance_from(roles.state()) == dict.fromkeys(ROLES, 0.0)


def test_a_draft_has_at_most_the_tokens_it_may(roles: ScratchRoles, tiny: Config) -> None:
    draft = roles.draft(QUERY, "decoder")
    assert draft.source == "decoder"
    assert len(draft.text) <= 60 * tiny.decoder.max_draft_tokens


@pytest.mark.parametrize("role", ["router", "decoder", "validator"])
def test_a_vocabulary_smaller_than_the_tokenizers_is_refused(tiny: Config, weights: Weights, role: str) -> None:
    small = msgspec.structs.replace(tiny, **{role: msgspec.structs.replace(getattr(tiny, role), vocab=100)})
    with pytest.raises(BadInputError, match=role):
        ScratchRoles(small, weights)
