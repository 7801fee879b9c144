"""The service under load: many clients at once, and kills while they ask. `make load` prints the figures."""

import asyncio
import contextlib
import itertools
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING

import httpx2
import pytest

from shammah_mlx.home.journal import Journal
from shammah_mlx.home.recovery import rebuild
from shammah_mlx.models.weights import Weights
from shammah_mlx.presets import load_config
from shammah_mlx.teacher.recordings import read_stream
from tests.loopback import Loopback, reply
from tests.served import BOLD, Place, Served

if TYPE_CHECKING:
    import anthropic


ROOT = Path(__file__).parents[2]
KEY = "sk-test-upstream"
CLIENTS = 50
TAUGHT = 100  # number of questions
KNOWN, NEW = 300, 10_000  # max_tokens of taught questions; new ones count up from NEW, so nothing is learnt for theirs
ROWS = [row for row, _ in read_stream(ROOT / "examples" / "questions.jsonl", shuffle=1, limit=None)]
RECORDED = {row.query: row.reply for row in ROWS}

Question = tuple[str, int]
"""The text and max_tokens."""


pytestmark = [pytest.mark.service, pytest.mark.slow]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Loopback]:
    """Return a server with the recorded replies; it also answers `question [n]`."""
    with Loopback(default=reply(answer)) as server:
        yield server


def answer(text: str) -> str:
    """Return the right reply: the recorded one, with the number in brackets if the question has one."""
    question, _, count = text.partition(" [")
    return RECORDED[question] + (f" [{count}" if count else "")


def environment(upstream: Loopback) -> dict[str, str]:
    return {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": upstream.url, "NO_PROXY": "*"}


async def ask(client: "anthropic.AsyncAnthropic", question: Question, *, streams: bool) -> tuple[str, str]:
    """Return the text of the answer and the model that wrote it."""
    import anthropic

    text, limit = question
    body = {"model": "claude-x", "max_tokens": limit, "messages": [{"role": "user", "content": text}]}
    if not streams:
        message = await client.messages.create(**body)  # type: ignore[call-overload]
    else:
        async with client.messages.stream(**body) as stream:  # type: ignore[arg-type]
            message = await stream.get_final_message()
            if message.stop_reason is None:
                raise anthropic.APIConnectionError(message="cut", request=stream.response.request)
    return message.content[0].text, message.model


async def teach(served: Served) -> list[Question]:
    """Teach the service; return the questions that it then answers locally and correctly."""
    questions = [(row.query, KNOWN) for row in ROWS[:TAUGHT]]
    async with connected(served) as client:
        for question in questions:
            await ask(client, question, streams=False)
        served.wait_until_learnt()
        answers = [await ask(client, question, streams=False) for question in questions]
    return [
        question
        for question, (text, model) in zip(questions, answers, strict=True)
        if model == "shammah-default" and text == answer(question[0])
    ]


def connected(served: Served) -> "anthropic.AsyncAnthropic":
    import anthropic

    return anthropic.AsyncAnthropic(api_key=served.token, base_url=served.url, max_retries=0, timeout=60)


def test_fifty_clients_at_once_get_one_right_answer_to_each_question(
    upstream: Loopback, requests: int, print_figure: Callable[[str], None]
) -> None:
    new: list[Question] = [
        (f"{row.query} [{n}]", NEW + n) for n, row in zip(range(requests // 2), itertools.cycle(ROWS))
    ]
    chance = random.Random(1)
    answers: list[tuple[Question, str, str]] = []
    took_s: dict[str, list[float]] = {"local": [], "claude": []}

    async def client_of(served: Served, questions: Iterator[Question]) -> None:
        async with connected(served) as client:
            for question in questions:
                since = time.perf_counter()
                text, model = await ask(client, question, streams=chance.random() < 0.5)
                took_s["claude" if model == "claude-x" else "local"].append(time.perf_counter() - since)
                answers.append((question, text, model))

    async def all_clients(served: Served) -> None:
        await asyncio.gather(*(client_of(served, iter(asked[first::CLIENTS])) for first in range(CLIENTS)))

    with Place() as home, Served(home, environment(upstream), "--tcp", "0") as served:
        known = asyncio.run(teach(served))
        asked = chance.sample([*itertools.islice(itertools.cycle(known), requests // 2), *new], requests)
        before = len(upstream.requests)
        since = time.perf_counter()
        asyncio.run(all_clients(served))
        whole_s = time.perf_counter() - since
        calls = Counter(request.last_user_text for request in upstream.requests[before:])
        with closing(Journal(home / "journal.db")) as journal:
            journalled = Counter(
                (one.request.query.text, one.request.query.max_tokens) for one in journal.after(2 * TAUGHT)
            )
            numbers = [one.request.number for one in journal.after(0)]

    assert [text for _, text, _ in answers] == [answer(question) for (question, _), _, _ in answers]
    assert Counter(question for question, _, _ in answers) == Counter(asked) == journalled
    assert numbers == list(range(1, 2 * TAUGHT + requests + 1))
    local = sum(model == "shammah-default" for _, _, model in answers)
    assert calls.total() == requests - local  # one for every question that was not answered locally
    assert set(calls.values()) == {1}
    assert local >= requests // 2
    print_figure(
        f"{requests} requests of {CLIENTS} clients in {whole_s:.1f} s, {local} answered locally; {_spread(took_s)}"
    )


def _spread(took_s: dict[str, list[float]]) -> str:
    cuts = {name: quantiles(times, n=20) for name, times in took_s.items()}
    return ", ".join(f"{name} p50 {1e3 * cut[9]:,.0f} ms, p95 {1e3 * cut[18]:,.0f} ms" for name, cut in cuts.items())


def test_requests_without_a_slot_are_refused_and_the_others_are_answered(upstream: Loopback) -> None:
    import anthropic

    outcomes: Counter[str] = Counter()
    counted = itertools.count()

    async def client_of(served: Served, number: int) -> None:
        async with connected(served) as client:
            for row in ROWS[number : number + 4]:
                try:
                    text, _ = await ask(client, (f"{row.query} [{number}]", NEW + next(counted)), streams=False)
                    outcomes["right" if text == answer(f"{row.query} [{number}]") else "wrong"] += 1
                except anthropic.APIStatusError as error:
                    outcomes[f"{error.status_code} {error.type}"] += 1

    async def all_clients(served: Served) -> None:
        await asyncio.gather(*(client_of(served, number) for number in range(CLIENTS)))

    with Place() as home:
        (home / "config.toml").write_text(f"{BOLD}[service]\nmost_requests = 4\n")
        with Served(home, environment(upstream), "--tcp", "0") as served:
            asyncio.run(all_clients(served))
    assert outcomes.total() == 4 * CLIENTS
    assert outcomes.keys() == {"right", "529 overloaded_error"}


def test_every_answer_a_client_got_survives_kills(
    upstream: Loopback, kills: int, weights: Weights, print_figure: Callable[[str], None]
) -> None:
    """Kill the service while clients ask, a fifth as often as `--kills` says; then learn the rest, and rebuild."""
    import anthropic

    chance = random.Random(kills)
    received: Counter[str] = Counter()
    counted = itertools.count()
    rounds = max(1, kills // 5)

    async def client_of(served: Served) -> None:
        async with connected(served) as client:
            with contextlib.suppress(anthropic.APIConnectionError, httpx2.HTTPError):
                while True:
                    number = next(counted)
                    question = f"{chance.choice(ROWS).query} [{number}]"
                    limit = chance.choice([KNOWN, NEW + number])
                    with contextlib.suppress(anthropic.APIStatusError):  # the service was killed while it asked Claude
                        await ask(client, (question, limit), streams=chance.random() < 0.5)
                        received[question] += 1

    async def all_clients(served: Served) -> None:
        async def kill() -> None:
            await asyncio.sleep(chance.uniform(0.2, 2.0))
            served.process.send_signal(signal.SIGKILL)

        await asyncio.gather(kill(), *(client_of(served) for _ in range(10)))

    with Place() as home:
        served = Served(home, environment(upstream), "--tcp", "0")
        for _ in range(rounds):
            served.start()
            asyncio.run(all_clients(served))
            served.process.wait()
        with Served(home, environment(upstream)) as served:
            served.wait_until_learnt()
            assert served.end() == 0
        with closing(Journal(home / "journal.db")) as journal:
            records = list(journal.after(0))
            progress = journal.progress()
        texts = Counter(one.request.query.text for one in records)
        assert set(texts.values()) == {1}, "a question was journalled twice"
        assert received.keys() <= texts.keys(), "an answered question is missing"
        assert [one.request.number for one in records] == list(range(1, len(records) + 1))
        assert progress.cursor == len(records)
        again = rebuild(home, load_config(home / "config.toml", {}), weights)
        assert again.before == again.after == progress.state
    print_figure(f"{rounds} kills; {len(records)} questions journalled, {received.total()} answered")
