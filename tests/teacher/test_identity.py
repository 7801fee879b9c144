"""Another host or another model is another teacher."""

import pytest
from msgspec import UNSET

from shammah_mlx.teacher.identity import is_model, origin


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://api.anthropic.com",
        "https://api.anthropic.com/",
        "HTTPS://API.anthropic.com:443",
        " https://me:pw@api.anthropic.com?key=1",
    ],
)
def test_anthropic_is_the_usual_teacher_however_its_address_is_written(url: str) -> None:
    assert origin(url) is UNSET


def test_each_host_port_and_path_is_another_teacher() -> None:
    urls = [
        *("http://api.anthropic.com", "https://api.anthropic.com.example", "https://api.anthropic.com/v2", "nonsense"),
        *(
            "https://api.anthropic.com@evil.example",
            "http://127.0.0.1:4000",
            "http://127.0.0.1:11434",
            "http://[::1]:4000",
        ),
    ]
    assert len({origin(url) for url in urls} - {UNSET}) == len(urls)


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ("claude-sonnet-4-5", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
        ("claude-3-5-haiku-latest", "claude-3-5-haiku-20241022"),
        ("claude-opus-4-0", "claude-opus-4-20250514"),
        ("claude-sonnet-4-5", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("claude-sonnet-4-5", "claude-sonnet-4-5@20250929"),
        ("llama3.2", "llama3.2:latest"),
        ("us.anthropic.claude-opus-5-v1:0", "claude-opus-5"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("anthropic/claude-opus-5", "claude-opus-5"),
    ],
)
def test_a_dated_name_is_the_same_model(asked: str, named: str) -> None:
    assert is_model(asked, named)


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ("claude-opus-5", "gpt-4o"),
        ("claude-opus-5", "claude-haiku-5"),
        ("claude-opus-4-0", "claude-opus-4-1-20250805"),
        ("claude-opus-5", "claude-opus-5-mini"),
        ("claude-opus-5", "not-claude-opus-5"),
        ("claude-opus-5", ""),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5-20251001"),
        ("llama3.2", "llama3.2:1b"),
    ],
)
def test_any_other_name_is_another_model(asked: str, named: str) -> None:
    assert not is_model(asked, named)
