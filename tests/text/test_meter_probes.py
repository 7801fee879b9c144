"""Probe the fitted meter with pairs that say the same in other words, and with pairs that differ in one decisive way.

No difference in a flag, a path, a name in code, a number or a unit may pass. Few of the other kinds may, and few of the
equivalent pairs may not: the shares are in sight.
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
VETOED = ("number", "unit", "flag", "path", "identifier", "code", "bound", "unit by its capitals, power, fraction")
MUST_PASS = 0.9  # share of the equivalent pairs
MAY_PASS = {"negation": 0.05, "order": 0.0, "entity": 0.0, "tail of a long text": 0.2}


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
def test_no_difference_in_numbers_units_or_code_passes(meter: Meter, name: str) -> None:
    one, other = DIFFERENT[name]
    assert min(meter(one, other), meter(other, one)) >= THRESHOLD


@pytest.mark.parametrize("kind", MAY_PASS)
def test_few_other_differences_pass(meter: Meter, kind: str) -> None:
    of_kind = {name: pair for name, pair in DIFFERENT.items() if name.startswith(f"{kind}: ")}
    assert len(passed(meter, of_kind)) <= MAY_PASS[kind] * len(of_kind)


def test_most_equivalent_pairs_pass(meter: Meter) -> None:
    assert len(passed(meter, SAME)) >= MUST_PASS * len(SAME)
