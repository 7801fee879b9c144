"""The table of `replay` is a table where it fits, and blocks where it does not."""

from io import StringIO

import pytest
from rich.console import Console

from shammah_mlx.display.bands import print_table
from shammah_mlx.display.report import band_table
from shammah_mlx.home.prequential import Band, Result

FIRST = Band(0, 50, 50, 42, 12, 10, 0, 0.672, 0.85, 1.0)
LAST = Band(2000, 5000, 3000, 2042, 1012, 1010, 12, None, 0.5, 1.0)
RESULT = Result([FIRST, LAST], LAST, {"router": 1.25, "generator": 3.0, "validator": 0.5})


def shown(columns: int) -> str:
    out = StringIO()
    print_table(band_table(RESULT), Console(file=out, width=columns))
    return out.getvalue()


@pytest.mark.parametrize("columns", [40, 60, 72])
def test_a_narrow_terminal_shows_each_row_as_a_block(columns: int) -> None:
    lines = shown(columns).splitlines()
    assert max(map(len, lines)) <= columns
    text = " ".join(" ".join(lines).split())
    assert text == (
        "queries 0-50 calls 42, checks 12, local 10, bad local 0, divergence 0.672, cost 85%, forwarded 80%, specified"
        " 100% queries 2000-5000 calls 2042, checks 1012, local 1010, bad local 12, divergence -, cost 50%, forwarded"
        " 66%, specified 20% queries total calls 2042, checks 1012, local 1010, bad local 12, divergence -, cost 50%,"
        " forwarded 66% moved: router 1.25, generator 3, validator 0.5"
    )


def test_no_line_ends_between_a_name_and_its_value() -> None:
    ends = {line.rstrip(",").rsplit(" ", 1)[-1] for line in shown(40).splitlines()}
    assert not ends & {"bad", "local", "calls", "checks", "divergence", "cost", "forwarded", "specified"}


def test_on_80_columns_it_is_the_table_that_it_was() -> None:
    out = StringIO()
    Console(file=out, width=80).print(band_table(RESULT))
    assert shown(80) == out.getvalue()
    assert "queries calls checks local bad local divergence cost forwarded specified" in " ".join(shown(80).split())
