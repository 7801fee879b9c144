"""Lines that a narrow terminal would break in a word."""

import io

from shammah_mlx.display.console import tell
from shammah_mlx.display.streams import at_words
from tests.terminal import Terminal

LINE = "Memory    23.5 GB, and no GPU: MLX computes on the CPU"


def test_a_long_line_goes_on_behind_its_indent() -> None:
    with Terminal(40) as terminal:
        tell(LINE, 10)
    assert terminal.lines == ["Memory    23.5 GB, and no GPU: MLX", " " * 10 + "computes on the CPU", ""]


def test_an_indent_leaves_half_of_a_narrow_terminal() -> None:
    with Terminal(16) as terminal:
        tell(LINE, 10)
    assert not any(line.startswith(" ") for line in terminal.lines)


def test_what_is_no_terminal_gets_the_line_as_it_is() -> None:
    assert at_words(LINE, io.StringIO(), 10) == LINE
