from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.events import Exchange, Query
from shammah_mlx.framework.redaction import Redaction
from shammah_mlx.text.sensitive import holds_secret

KEY = "sk-ant-api03-" + "q7Zt4Lw9Xc2Vb8Nm5Kj3Hg6Fd1Sa0PoIuYtR"
PASSWORD = "hunter2!x"
QUERY = Query(
    f"why does {KEY} give a 401? My password is {PASSWORD}",
    system=f"the password is {PASSWORD}",
    history=(Exchange(f"export KEY={KEY}", f"You set {KEY}."),),
)


def test_nothing_secret_is_left_and_the_rest_is() -> None:
    hidden = Redaction(QUERY).hide(QUERY)
    assert hidden is not None
    assert not any(map(holds_secret, hidden.texts))
    assert all(KEY[13:] not in text and PASSWORD not in text for text in hidden.texts)
    assert hidden.text.startswith("why does ")
    assert "give a 401? My password is [SECRET_" in hidden.text


def test_the_same_secret_has_the_same_stand_in_everywhere() -> None:
    hidden = Redaction(QUERY).hide(QUERY)
    assert hidden is not None
    assert hidden.system is not None
    assert hidden.system.removeprefix("the password is ") in hidden.text


def test_an_answer_gets_the_secrets_back() -> None:
    redaction = Redaction(QUERY)
    hidden = redaction.hide(QUERY)
    assert hidden is not None
    assert redaction.restore(hidden.text) == QUERY.text


def test_what_cannot_be_hidden_is_not_sent() -> None:
    spaced = Query("my key is " + " ".join(KEY))  # sign by sign: it stands nowhere in one piece
    assert holds_secret(spaced.text)
    assert Redaction(spaced).hide(spaced) is None


def test_a_question_without_a_secret_is_unchanged() -> None:
    query = Query("what does [SECRET_1] mean, and a[0]?")
    assert Redaction(query).hide(query) == query


@given(
    st.lists(st.integers(1, 12), max_size=12), st.sampled_from(["{} is wrong", "[{}] or [SECRET_", "{}", "a [b] {}["])
)
def test_pieces_give_the_same_text_wherever_they_are_cut(cuts: list[int], form: str) -> None:
    redaction = Redaction(QUERY)
    hidden = redaction.hide(Query(f"My password is {PASSWORD}"))
    assert hidden is not None
    answer = form.format(hidden.text.rpartition(" ")[2])
    shown: list[str] = []
    show, end = redaction.restoring(shown.append)
    at = 0
    for cut in [*cuts, len(answer)]:
        show(answer[at : at + cut])
        at += cut
    end()
    assert "".join(shown) == redaction.restore(answer) == form.format(PASSWORD)
