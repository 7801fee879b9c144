"""What changes from one system prompt to the next is named by its kind and place."""

import pytest

from shammah_mlx.text.prompt_changes import usual_changes

FRAME = "You are an agent.\nBe brief.\nNow: {} is what counts.\nAnswer in English."


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("a time", ["09:15", "10:20", "23:07"]),
        ("a time", ["2026-11-27T09:15:02Z", "2026-11-27T09:15:09Z", "2026-11-28T10:00:00Z"]),
        ("a time", ["09:15:02.113", "09:15:02.207"]),
        ("a time", ["1764236102", "1764236177", "1764240000"]),
        ("a date", ["2026-11-27", "2026-11-28", "2026-12-01"]),
        ("a date", ["27.11.2026", "28.11.2026"]),
        ("a date", ["Monday", "Tuesday", "Friday"]),
        ("a number", ["17", "18", "1000"]),
        ("an identifier", ["3f2b8c1e-6d0a-4f6e-9a55-0c1d2e3f4a5b", "9d7e1a20-11b2-4c3d-8e4f-5a6b7c8d9e0f"]),
        ("an identifier", ["req_01HX7Q2", "req_02ZZ8K1"]),
        ("the wording", ["weather", "everything"]),
    ],
)
def test_the_kind_and_the_place_are_told(kind: str, values: list[str]) -> None:
    assert [str(change) for change in usual_changes([FRAME.format(value) for value in values])] == [
        f"{kind} at line 3, character 6"
    ]


def test_the_first_and_the_last_of_several_places_are_told() -> None:
    texts = [f"It is {9 + n:02}:00.\nYou have {n * 7} tools.\nRequest {n * 7919:08x}." for n in range(12)]
    assert list(map(str, usual_changes(texts))) == [
        "a time at line 1, character 7",
        "an identifier at line 3, character 9",
    ]


def test_two_programs_prompts_do_not_hide_what_changes_in_each() -> None:
    texts = [f"{who} It is {9 + n:02}:00." for n in range(12) for who in ("I am a cook.", "You sell violins.")]
    assert {change.kind for change in usual_changes(texts)} == {"a time"}


def test_other_scripts_and_what_is_added_at_the_end_are_no_error() -> None:
    assert [str(change) for change in usual_changes(["现在是14:05。", "现在是14:06。"])] == [
        "a time at line 1, character 4"
    ]
    assert [str(change) for change in usual_changes(["", "Be brief"])] == ["the wording at line 1, character 1"]
    assert usual_changes(["Be brief"]) == []
