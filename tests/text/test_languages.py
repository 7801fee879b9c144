"""The rules about wordings read English; what they cannot read is to be doubted."""

import pytest

from shammah_mlx.text.languages import is_read


@pytest.mark.parametrize(
    "question",
    [
        "what's the capital of Peru",
        "Who painted the café terrace at night?",
        "how do I say 'guten Morgen' in German",
        "play jazz music",
        "kubectl get pods -o json",
        "las vegas time zone please",
        "was the die cast",
        "Find all hidden files",
        "Los Angeles weather",
        "define El Nino",
        "",
    ],
)
def test_english_is_read(question: str) -> None:
    assert is_read(question)


@pytest.mark.parametrize(
    "question",
    [
        "Wie spät ist es?",
        "wann kommt der bus",
        "今日の天気は?",
        "¿Qué hora es?",
        "que tiempo hace hoy en madrid",
        "Quelle heure est-il ?",
        "Который час?",
        "hoe laat is het",
        "che ore sono",
        "Jam berapa sekarang?",
        "Hvad er klokken?",
        "Ktora godzina w Warszawie?",
        "Ni saa ngapi sasa?",
        "Wetter morgen Hamburg",
        "ora esatta Roma",
    ],
)
def test_other_languages_are_not(question: str) -> None:
    assert not is_read(question)
