"""After the answer is out, the judge says of a shadow what the meter leaves in doubt: once, at a known cost."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from shammah_mlx.config import JudgeConfig
from shammah_mlx.events import Interaction
from shammah_mlx.home.journal import Journal
from shammah_mlx.teacher.judge import RUBRIC
from tests.command import run
from tests.loopback import Behaviour, Loopback, Request, Wire, fail, reply

TAUGHT = [f"how do I {verb} {thing}" for verb in ("boil", "paint", "sell") for thing in ("an egg", "a car")]
KNOWN, ASKED = TAUGHT[0], "what is the way to boil an egg?"
ANSWER, OTHER = "Put it in boiling water for ten minutes.", "Cook it in boiling water."  # the meter says .75 bad
JUDGE = JudgeConfig().model
REPLY_USD, VERDICT_USD = (100 * 2.0 + 10 * 10.0) / 1e6, (100 * 0.1 + 10 * 0.5) / 1e6
USAGE = {"input_tokens": 100, "output_tokens": 10}


pytestmark = pytest.mark.slow


class Home:
    """A home that learnt a few answers, and then got another answer to a question that means the same as one."""

    def __init__(
        self, path: Path, claude: Loopback, verdict: Behaviour, other: str = OTHER, settings: str = ""
    ) -> None:
        self.path, self._claude = path, claude
        path.mkdir()
        (path / "config.toml").write_text(f'generator = "recall"\n{settings}')
        claude.default_to(self._behaviour(verdict, other))
        for text in (*TAUGHT, ASKED):
            self._before = len(claude.requests)
            assert run("ask", "--claude", text).exit_code == 0

    def _behaviour(self, verdict: Behaviour, other: str) -> Behaviour:
        def behave(wire: Wire, request: Request) -> None:
            text = {KNOWN: ANSWER, ASKED: other}.get(request.last_user_text, f"You asked: {request.last_user_text}")
            chosen = verdict if request.body["model"] == JUDGE else reply(text, usage=USAGE)
            chosen(wire, request)

        return behave

    @property
    def models(self) -> list[str]:
        """Return who was asked since the last question, in order."""
        return [request.body["model"] for request in self._claude.requests[self._before :]]

    @property
    def last(self) -> Interaction:
        with closing(Journal(self.path / "journal.db")) as journal:
            return list(journal.after(0))[-1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.mark.parametrize("word", ["GOOD", "BAD"])
def test_a_verdict_is_bought_after_the_reply_and_kept_with_model_rubric_and_cost(
    path: Path, claude: Loopback, word: str
) -> None:
    home = Home(path, claude, reply(word, usage=USAGE))
    assert home.models == ["claude-sonnet-5-5", JUDGE]
    shown = json.loads(claude.requests[-1].last_user_text)
    assert (shown["question"], shown["answer"], shown["reply"]) == (ASKED, ANSWER, OTHER)
    (verdict,) = home.last.verdicts
    assert (verdict.good, verdict.model, verdict.rubric, verdict.with_reply) == (word == "GOOD", JUDGE, RUBRIC, True)
    assert home.last.cost_usd == pytest.approx(REPLY_USD + VERDICT_USD)
    assert (home.last.judged_at or 0.0) >= home.last.request.query.at > 0.0
    verdicts = sum(request.body["model"] == JUDGE for request in claude.requests)  # those on what it was taught too
    spent = json.loads(run("status", "--json").stdout)["spent_usd"]
    assert spent == pytest.approx(7 * REPLY_USD + verdicts * VERDICT_USD)


def test_making_the_models_again_buys_nothing_and_gives_the_same(path: Path, claude: Loopback) -> None:
    home = Home(path, claude, reply("BAD", usage=USAGE))
    before = len(home.models)
    made_again = run("rebuild")
    assert (made_again.exit_code, len(home.models)) == (0, before)
    assert "unchanged, bit for bit" in made_again.stdout
    assert len(home.last.verdicts) == 1


def test_a_judge_that_cannot_be_reached_leaves_the_meters_word(path: Path, claude: Loopback) -> None:
    home = Home(path, claude, fail(529))
    assert (home.models[-1], home.last.verdicts) == (JUDGE, ())
    assert home.last.divergence == pytest.approx(0.75, abs=0.05)


def test_a_reply_that_is_no_verdict_is_paid_for(path: Path, claude: Loopback) -> None:
    home = Home(path, claude, reply("Hard to say.", usage=USAGE))
    assert [verdict.good for verdict in home.last.verdicts] == [None]
    assert home.last.cost_usd == pytest.approx(REPLY_USD + VERDICT_USD)


@pytest.mark.parametrize(
    ("other", "settings"),
    [
        (ANSWER, ""),
        (OTHER, "[judge]\nshare = 0\n"),
        (OTHER, "[judge]\nshadow_doubt = 0.5\n"),
        (OTHER, "[risk]\nmax_bad_rate = 1.0\n"),
    ],
    ids=["the meter is sure", "no judge", "no doubt counts", "nothing is promised"],
)
def test_otherwise_no_verdict_is_bought(path: Path, claude: Loopback, other: str, settings: str) -> None:
    home = Home(path, claude, reply("BAD"), other, settings)
    assert (JUDGE in home.models, home.last.verdicts) == (False, ())
    assert home.last.divergence is not None
