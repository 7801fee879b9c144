from pathlib import Path

import pytest

from shammah_mlx.errors import BadInputError
from shammah_mlx.teacher.recordings import Row, Truth, read_stream

GOOD = b'{"query": "q", "reply": "r"}\n'


def write(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "stream.jsonl"
    path.write_bytes(content)
    return path


def test_rows_and_their_truth_come_apart(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        b'{"id": "a", "query": "q", "reply": "r", "topic": "t", "also": ["u"], "tail": true}\n\n' + GOOD,
    )
    assert read_stream(path, None, None) == [
        (Row("q", "r", "a"), Truth("t", ("u",))),
        (Row("q", "r", "line:3"), Truth()),  # known by its line
    ]


def test_a_shuffle_is_seeded_and_comes_before_the_limit(tmp_path: Path) -> None:
    path = write(tmp_path, b"".join(b'{"query": "q%d", "reply": "r"}\n' % n for n in range(50)))
    first, again, other = (read_stream(path, seed, 10) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert len(first) == 10
    assert {row.query for row, _ in first} != {f"q{n}" for n in range(10)}


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b'{"query": "q"}',
        b'{"query": 3, "reply": "r"}',
        b'["q", "r"]',
        b'{"query": " ", "reply": "r"}',
        b'{"query": "q", "reply": ""}',
        b'{"query": "\xff\xfe", "reply": "r"}',
    ],
)
def test_a_bad_line_is_told_by_its_number(tmp_path: Path, line: bytes) -> None:
    with pytest.raises(BadInputError, match="line 3"):
        read_stream(write(tmp_path, GOOD + GOOD + line + b"\n" + GOOD), None, None)


def test_a_row_may_come_again_but_an_id_stands_for_one_row(tmp_path: Path) -> None:
    row = b'{"id": "a", "query": "q", "reply": "r"}\n'
    assert len(read_stream(write(tmp_path, row + row), None, None)) == 2
    with pytest.raises(BadInputError, match="'a'"):
        read_stream(write(tmp_path, row + row.replace(b'"r"', b'"s"')), None, None)


def test_an_empty_or_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no rows"):
        read_stream(write(tmp_path, b"\n"), None, None)
    with pytest.raises(BadInputError, match="cannot read"):
        read_stream(tmp_path / "none.jsonl", None, None)
