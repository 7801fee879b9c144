"""Probe the fitted meter with pairs that say the same in other words, and with pairs that differ in one decisive way.

No difference in a flag, a path, a name in code, a number or a unit may pass. A regression weighs the other kinds, so
of these some may, and of the equivalent pairs some may not: shares in sight.
"""

import pytest

from shammah_mlx.config import DivergenceConfig
from shammah_mlx.events import Exchange
from shammah_mlx.models.embedder import Embedder
from shammah_mlx.models.weights import Weights
from shammah_mlx.text.divergence import Meter, fitted
from tests.text.tables import read_table

TABLE = read_table("meter_probes")
THRESHOLD = DivergenceConfig(kind="fitted").threshold
VETOED = ("unit", "flag", "path", "identifier", "code", "bound", "unit by its capitals, power, fraction")
NOT_VETOED = {"number: dose", "number: bullet"}  # half a tablet against a tablet; two numbers that change places
MUST_PASS = 0.9  # share of the equivalent pairs
MAY_PASS = {"number": 0.1, "negation": 0.2, "order": 0.8, "entity": 0.1, "tail of a long text": 0.7}


@pytest.fixture(scope="module")
def meter(weights: Weights) -> Meter:
    return fitted(Embedder(weights.embedder))


def pairs(side: str) -> dict[str, list[Exchange]]:
    """Return the pairs of one side, each under the name "kind: name"."""
    return {
        f"{kind}: {name}": [Exchange("", text.replace("{long}", TABLE["long"])) for text in pair]
        for kind, named in TABLE[side].items()
        for name, pair in named.items()
    }


SAME, DIFFERENT = pairs("equivalent"), pairs("decisive")


def passed(meter: Meter, found: dict[str, list[Exchange]]) -> list[str]:
    return [name for name, (one, other) in found.items() if meter(one, other) < THRESHOLD]


@pytest.mark.parametrize("name", [name for name in DIFFERENT if name.startswith(VETOED)])
def test_no_difference_in_code_or_units_passes(meter: Meter, name: str) -> None:
    one, other = DIFFERENT[name]
    assert meter(one, other) == meter(other, one) == 1.0


@pytest.mark.parametrize("kind", MAY_PASS)
def test_few_other_differences_pass(meter: Meter, kind: str) -> None:
    of_kind = {name: pair for name, pair in DIFFERENT.items() if name.startswith(f"{kind}: ")}
    assert len(passed(meter, of_kind)) <= MAY_PASS[kind] * len(of_kind)


def test_most_equivalent_pairs_pass(meter: Meter) -> None:
    assert len(passed(meter, SAME)) >= MUST_PASS * len(SAME)
