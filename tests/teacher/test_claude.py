"""Claude through the real SDK against a server on this machine; and its two stand-ins."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import UNSET

from shammah_mlx.config import LIST_PRICES, TeacherConfig
from shammah_mlx.events import Outage, Query, Reply, Show
from shammah_mlx.teacher.claude import Claude
from shammah_mlx.teacher.keys import Credential, find_credential
from shammah_mlx.teacher.outages import cleaned
from shammah_mlx.teacher.recordings import Recorded, Row, Scripted
from shammah_mlx.teacher.reply import cost_usd
from tests import loopback
from tests.loopback import Behaviour, Loopback, Message, Request, Wire, break_down, cut, fail, hang, page, reply, stall

KEY = "sk-ant-very-secret"
CREDENTIAL = Credential(KEY, is_token=False, found_in="this test")
QUESTION = Query("What is the capital of Peru?")
ANSWER = "Lima, on the coast; Cusco was the Incas' capital. ¡Sí!"
CUT = "Lima, on th"
WITHIN_S = 60.0  # the longest that a test waits; machines can be busy


pytestmark = pytest.mark.usefixtures("bare_environment")


def claude(server: Loopback, *, max_retries: int = 0, timeout_s: float = 5.0) -> Claude:
    return Claude(TeacherConfig(max_retries=max_retries, timeout_s=timeout_s), CREDENTIAL, server.url)


def ask(behaviour: Behaviour, *, show: Show | None = None, timeout_s: float = 5.0) -> Reply | Outage:
    """Return what becomes of one try at a server that behaves like this."""
    with Loopback(behaviour) as server:
        outcome = claude(server, timeout_s=timeout_s).ask(QUESTION, show)
        assert len(server.requests) == 1
        return outcome


def kind(outcome: Reply | Outage) -> str:
    assert isinstance(outcome, Outage), outcome
    return outcome.kind


class TestAWholeReply:
    def test_has_claudes_text_model_tokens_and_cost(self) -> None:
        with Loopback(reply(ANSWER, model="claude-haiku-4-5-20251001", usage={"input_tokens": 1000})) as server:
            outcome = claude(server).ask(Query(QUESTION.text, model="claude-haiku-4-5"))
        assert isinstance(outcome, Reply)
        assert outcome == Reply(
            text=ANSWER,
            model="claude-haiku-4-5-20251001",
            stop_reason="end_turn",
            input_tokens=1000,
            output_tokens=20,
            cost_usd=1100 / 1e6,  # 1,000 tokens at 1 $ a million and 20 at 5 $
        )
        assert outcome.teaches

    def test_of_another_model_is_shown_and_teaches_nothing(self) -> None:
        outcome = ask(reply(ANSWER, model="gpt-4o"))
        assert isinstance(outcome, Reply)
        assert outcome.complete
        assert not outcome.teaches

    def test_is_shown_piece_by_piece(self) -> None:
        shown: list[str] = []
        ask(reply(ANSWER), show=shown.append)
        assert len(shown) > 5
        assert "".join(shown) == ANSWER

    def test_is_shown_while_it_arrives(self) -> None:
        shown: list[str] = []
        arrived = threading.Event()
        halves = Message("Lima", "m")

        def pause_halfway(wire: Wire, request: Request) -> None:
            wire.begin_stream()
            wire.events(halves.opening())
            assert arrived.wait(5)
            wire.events(halves.closing())
            wire.end_stream()

        def show(piece: str) -> None:
            shown.append(piece)
            arrived.set()

        outcome = ask(pause_halfway, show=show)
        assert isinstance(outcome, Reply)
        assert outcome.complete

    def test_leaves_thinking_out(self) -> None:
        shown: list[str] = []
        outcome = ask(reply(ANSWER, thinking="Peru. Not Bolivia."), show=shown.append)
        assert isinstance(outcome, Reply)
        assert outcome.text == "".join(shown) == ANSWER

    def test_counts_cached_input_as_input(self) -> None:
        usage = {"input_tokens": 100, "cache_creation_input_tokens": 2000, "cache_read_input_tokens": 30_000}
        outcome = ask(reply(ANSWER, usage=usage))
        assert isinstance(outcome, Reply)
        assert outcome.input_tokens == 32_100

    @pytest.mark.parametrize(("text", "stop_reason"), [(CUT, "max_tokens"), ("", "max_tokens"), ("", "refusal")])
    def test_keeps_a_stop_reason_that_makes_it_incomplete(self, text: str, stop_reason: str) -> None:
        outcome = ask(reply(text, stop_reason=stop_reason))
        assert isinstance(outcome, Reply)
        assert (outcome.text, outcome.stop_reason, outcome.complete) == (text, stop_reason, False)


class TestTheRequest:
    def body(self, query: Query) -> dict[str, object]:
        with Loopback() as server:
            claude(server).ask(query)
        return server.requests[0].body

    def test_asks_the_configs_model_for_a_stream_and_sets_nothing_else(self) -> None:
        assert self.body(QUESTION) == {
            "model": TeacherConfig().model,
            "max_tokens": TeacherConfig().max_tokens,
            "messages": [{"role": "user", "content": QUESTION.text}],
            "stream": True,
        }

    def test_passes_the_system_prompt_on(self) -> None:
        assert self.body(Query("Hi", system="Be brief."))["system"] == "Be brief."

    def test_asks_the_querys_model_before_the_configs(self) -> None:
        assert self.body(Query("Hi", model="claude-opus-5-5"))["model"] == "claude-opus-5-5"


def garble(text: str) -> Behaviour:
    def behave(wire: Wire, request: Request) -> None:
        wire.begin_stream()
        wire.events(Message(text, "m").opening())
        wire.chunk(b"event: message_delta\ndata: {not json\n\n")
        wire.end_stream()

    return behave


ENDINGS: dict[str, Callable[[str], Behaviour]] = {
    "clean": cut,
    "abrupt": lambda text: cut(text, abrupt=True),
    "error": break_down,
    "silence": stall,
    "garbage": garble,
}


class TestACutStream:
    @pytest.mark.parametrize("ending", ENDINGS)
    def test_keeps_what_came_and_is_never_complete(self, ending: str) -> None:
        shown: list[str] = []
        outcome = ask(ENDINGS[ending](CUT), show=shown.append, timeout_s=0.3)
        assert isinstance(outcome, Reply)
        assert outcome.text == "".join(shown) == CUT
        assert outcome.stop_reason is None
        assert not outcome.complete

    def test_that_breaks_after_the_stop_reason_is_not_complete_either(self) -> None:
        def break_at_the_very_end(wire: Wire, request: Request) -> None:
            message = Message(CUT, "claude-opus-5")
            wire.begin_stream()
            wire.events(message.opening() + message.closing())

        outcome = ask(break_at_the_very_end)
        assert isinstance(outcome, Reply)
        assert (outcome.text, outcome.stop_reason) == (CUT, None)
        assert outcome.cost_usd == 550 / 1e6  # 10 tokens at 5 $ a million and 20 at 25 $

    def test_has_no_output_count_and_an_estimated_cost_since_the_totals_come_last(self) -> None:
        outcome = ask(cut(CUT))
        assert isinstance(outcome, Reply)
        assert (outcome.input_tokens, outcome.output_tokens, outcome.estimated) == (10, None, True)
        assert outcome.cost_usd == pytest.approx((10 * 2 + 3 * 10) / 1e6)  # eleven letters are about three tokens

    def test_of_an_unpriced_model_is_unpriced(self) -> None:
        with Loopback(cut(CUT)) as server:
            outcome = claude(server).ask(Query(QUESTION.text, model="claude-unknown"))
        assert isinstance(outcome, Reply)
        assert (outcome.cost_usd, outcome.estimated) == (None, UNSET)

    def test_is_what_hanging_up_leaves(self) -> None:
        with Loopback(stall(CUT)) as server:
            teacher, shown = claude(server, timeout_s=WITHIN_S), []

            def hang_up(piece: str) -> None:
                shown.append(piece)
                if "".join(shown) == CUT:
                    threading.Thread(target=teacher.hang_up).start()  # as the service does; the read is under way

            assert not teacher.hang_up()  # nothing has begun
            began = time.monotonic()
            outcome = teacher.ask(QUESTION, hang_up)
            assert time.monotonic() - began < WITHIN_S / 2
            assert isinstance(outcome, Reply)
            assert (outcome.text, outcome.stop_reason, outcome.teaches) == (CUT, None, False)
            assert kind(teacher.ask(QUESTION)) == "interrupted"  # nothing more is asked
            assert len(server.requests) == 1

    def test_is_kept_without_text_too_if_the_user_hung_up_on_it(self) -> None:
        def think(wire: loopback.Wire, request: loopback.Request) -> None:
            wire.begin_stream()
            wire.events(loopback.Message("", request.body["model"]).opening()[:1])
            while not teacher.hang_up():  # until the client has read the head of the response
                time.sleep(0.01)
            wire.wait()

        with Loopback(think) as server:
            teacher = claude(server, timeout_s=WITHIN_S)
            outcome = teacher.ask(QUESTION)
        assert isinstance(outcome, Reply)
        assert outcome.text == ""
        assert outcome.cost_usd == pytest.approx(10 * 2 / 1e6)

    @pytest.mark.parametrize(
        ("ending", "expected"),
        [("clean", "cut"), ("abrupt", "cut"), ("garbage", "cut"), ("error", "overloaded"), ("silence", "timeout")],
    )
    def test_is_an_outage_if_no_text_came(self, ending: str, expected: str) -> None:
        assert kind(ask(ENDINGS[ending](""), timeout_s=0.3)) == expected

    @pytest.mark.parametrize(
        ("error_type", "message", "expected"),
        [
            ("api_error", "Internal server error", "server"),
            ("rate_limit_error", "Slow down", "rate_limited"),
            ("invalid_request_error", "No", "bad_request"),
            ("invalid_request_error", loopback.OUT_OF_CREDIT, "billing"),
        ],
    )
    def test_by_an_error_event_has_its_kind(self, error_type: str, message: str, expected: str) -> None:
        assert kind(ask(break_down("", error_type, message))) == expected

    def test_that_is_a_captive_portals_page_is_an_outage(self) -> None:
        assert kind(ask(page("<html>Log in to the train's Wi-Fi</html>"))) == "cut"


class TestAnOutage:
    @pytest.mark.parametrize(
        ("behaviour", "expected"),
        [
            (fail(400), "bad_request"),
            (fail(400, loopback.OUT_OF_CREDIT), "billing"),
            (fail(400, loopback.OVER_LIMIT), "billing"),
            (fail(401), "key_refused"),
            (fail(402), "billing"),
            (fail(403), "key_refused"),
            (fail(404), "unknown_model"),
            (fail(413), "bad_request"),
            (fail(429), "rate_limited"),
            (fail(429, code="enforced_spend_limit_reached"), "billing"),
            (fail(500), "server"),
            (fail(529), "overloaded"),
        ],
    )
    def test_has_the_kind_of_the_status(self, behaviour: Behaviour, expected: str) -> None:
        assert kind(ask(behaviour)) == expected

    def test_is_what_a_redirect_is_and_the_question_goes_nowhere_else(self) -> None:
        with Loopback() as other:

            def move(wire: loopback.Wire, _: loopback.Request) -> None:
                wire.send(307, "text/plain", b"", {"location": f"{other.url}/v1/messages"})

            assert isinstance(ask(move), Outage)
            assert other.requests == []

    @pytest.mark.parametrize("status", loopback.ERROR_TYPES)
    def test_says_what_to_do_and_repeats_the_server_apart_and_the_key_never(self, status: int) -> None:
        outcome = ask(fail(status, lambda asked: f"{KEY} may not\nask \x1b[2J{asked!r}"))
        assert isinstance(outcome, Outage)
        assert outcome.message.endswith(".")
        assert outcome.hint
        assert KEY not in repr(outcome)
        for said in (QUESTION.text, "may not"):
            assert said not in outcome.message + outcome.hint
        explains = status < 500 and status != 529
        assert outcome.said == (f"[key] may not ask [2J{QUESTION.text!r}" if explains else UNSET)

    def test_names_the_model_that_is_not_known(self) -> None:
        with Loopback(fail(404, "model: claude-nonsense")) as server:
            outcome = claude(server).ask(Query(QUESTION.text, model="claude-nonsense"))
        assert isinstance(outcome, Outage)
        assert outcome.message == "Anthropic does not know the model claude-nonsense."
        assert outcome.said == "model: claude-nonsense"

    @pytest.mark.parametrize(
        ("message", "shown"),
        [
            ("sk-\u200btest-\x00secret-key is wrong", "[key] is wrong"),  # hidden marks in the key
            ("token sk-ant-api03-abcdef...9x is wrong", "token [key]...9x is wrong"),  # another one
            ("a \u202eb\u2066\tc\r\nd\x9b2J", "a b c d2J"),
            ("x" * 1000, "x" * 399 + "…"),
            (None, ""),
            (["no", "text"], ""),
        ],
    )
    def test_has_what_the_server_says_in_one_clean_line(self, message: object, shown: str) -> None:
        assert cleaned(message, "sk-test-secret-key") == shown

    def test_is_a_timeout_if_claude_stays_silent_as_long_as_the_config_says(self) -> None:
        began = time.monotonic()
        assert kind(ask(hang(), timeout_s=0.3)) == "timeout"
        assert 0.3 <= time.monotonic() - began < 2.0

    def test_is_unreachable_if_nobody_listens(self) -> None:
        with Loopback() as gone:
            pass
        assert kind(claude(gone).ask(QUESTION)) == "unreachable"

    # The SDK's half-made client complains when it is collected.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    @pytest.mark.parametrize(
        ("name", "value"),
        [("ALL_PROXY", "socks5://127.0.0.1:1"), ("HTTPS_PROXY", "gopher://x"), ("SSL_CERT_FILE", "/nowhere/ca.pem")],
    )
    def test_is_unreachable_if_proxy_or_certificates_cannot_be_used(
        self, name: str, value: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(name, value)
        with Loopback() as server:
            assert kind(claude(server).ask(QUESTION)) == "unreachable"

    def test_is_a_bad_request_if_the_query_cannot_be_encoded(self) -> None:
        with Loopback() as server:
            assert kind(claude(server).ask(Query("half a \ud83d smiley"))) == "bad_request"
            assert not server.requests

    def test_is_not_made_of_what_show_raises(self) -> None:
        def show(piece: str) -> None:
            raise BrokenPipeError("the reader has gone")

        with pytest.raises(BrokenPipeError, match="the reader has gone"):
            ask(stall(CUT), show=show)


class TestTheKey:
    def authorization(self) -> str:
        with Loopback() as server:
            Claude(TeacherConfig(), find_credential(Path.home()), server.url).ask(QUESTION)
        return server.requests[0].headers["authorization"]

    @pytest.mark.parametrize("blank", ["", " \n"])
    def test_that_is_missing_is_an_outage_before_anything_is_sent(
        self, blank: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ANTHROPIC_API_KEY", blank)
        with Loopback() as server:
            outcome = Claude(TeacherConfig(), find_credential(Path.home()), server.url).ask(QUESTION)
            assert not server.requests
        assert isinstance(outcome, Outage)
        assert outcome.kind == "no_key"
        assert "ANTHROPIC_API_KEY" in outcome.hint

    def test_comes_from_the_environment_without_its_newline(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ANTHROPIC_API_KEY", f"{KEY}\n")
        monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token")
        assert self.authorization() == f"Bearer {KEY}"

    def test_may_be_a_token_instead(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token")
        assert self.authorization() == "Bearer token"

    def test_given_wins_over_the_environments(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "another")
        with Loopback() as server:
            claude(server).ask(QUESTION)
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"

    def test_goes_to_the_environments_base_url(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with Loopback() as server:
            monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
            assert isinstance(Claude(TeacherConfig(), CREDENTIAL).ask(QUESTION), Reply)


class TestRetries:
    @pytest.mark.parametrize("status", [429, 500, 529])
    def test_follow_what_may_pass_and_then_succeed(self, status: int) -> None:
        trouble = fail(status, retry_after=0.01)
        with Loopback(trouble, trouble, reply(ANSWER)) as server:
            outcome = claude(server, max_retries=2).ask(QUESTION)
        assert isinstance(outcome, Reply)
        assert outcome.text == ANSWER
        assert len(server.requests) == 3

    def test_wait_as_long_as_the_server_says(self) -> None:
        wait = 0.6  # the SDK's own first wait is at most 0.5 s
        with Loopback(fail(429, retry_after=wait)) as server:
            claude(server, max_retries=1).ask(QUESTION)
        first, second = server.requests
        assert second.at - first.at >= wait

    def test_are_not_made_if_the_server_asks_for_more_than_we_would_wait(self) -> None:
        with Loopback(default=fail(429, retry_after=3)) as server:
            assert kind(claude(server, max_retries=1, timeout_s=2.0).ask(QUESTION)) == "rate_limited"
        assert len(server.requests) == 1

    def test_end(self) -> None:
        with Loopback(default=fail(529, retry_after=0.01)) as server:
            assert kind(claude(server, max_retries=2).ask(QUESTION)) == "overloaded"
        assert len(server.requests) == 3

    @pytest.mark.parametrize("status", [400, 401, 402, 403, 404])
    def test_are_not_made_if_they_cannot_help(self, status: int) -> None:
        with Loopback(default=fail(status)) as server:
            claude(server, max_retries=2).ask(QUESTION)
        assert len(server.requests) == 1

    def test_do_not_follow_a_stream_that_has_begun(self) -> None:
        with Loopback(default=break_down("")) as server:
            claude(server, max_retries=2).ask(QUESTION)
        assert len(server.requests) == 1


class TestTheCost:
    @pytest.mark.parametrize(
        ("model", "tokens", "dollars"),
        [
            ("claude-opus-5", {"input_tokens": 1_000_000, "output_tokens": 0}, 5.0),
            ("claude-opus-5", {"input_tokens": 0, "output_tokens": 1_000_000}, 25.0),
            ("claude-opus-5-20260203", {"input_tokens": 1_000_000, "output_tokens": 0}, 5.0),
            ("claude-opus-5", {"cache_creation_input_tokens": 1_000_000, "input_tokens": 0, "output_tokens": 0}, 6.25),
            ("claude-opus-5", {"cache_read_input_tokens": 1_000_000, "input_tokens": 0, "output_tokens": 0}, 0.5),
        ],
    )
    def test_is_the_list_price(self, model: str, tokens: dict[str, int], dollars: float) -> None:
        assert cost_usd(model, tokens, LIST_PRICES) == pytest.approx(dollars)

    @pytest.mark.parametrize("model", ["claude-opus-9", "claude-opus-5-2026", "opus-5", ""])
    def test_of_an_unknown_model_is_unknown(self, model: str) -> None:
        assert cost_usd(model, {"input_tokens": 1, "output_tokens": 1}, LIST_PRICES) is None

    def test_of_an_unknown_number_of_tokens_is_unknown(self) -> None:
        assert cost_usd("claude-opus-5", {"input_tokens": 1}, LIST_PRICES) is None

    def test_a_price_for_short_prompts_is_not_that_of_a_long_one(self) -> None:
        read = {"input_tokens": 60_000, "cache_read_input_tokens": 40_000, "output_tokens": 1}
        assert cost_usd("claude-haiku-5-5", read, LIST_PRICES) is not None
        assert cost_usd("claude-haiku-5-5", {**read, "input_tokens": 60_001}, LIST_PRICES) is None


class TestRecorded:
    ROWS = (
        Row("capital of Peru?", "Lima", id="a"),
        Row("capital of Peru?", "Lima.", id="b"),
        Row("2 + 2?", "4"),
    )

    def test_answers_by_row_and_else_by_text(self) -> None:
        teacher = Recorded(self.ROWS)
        answers = [
            teacher.ask(query)
            for query in (
                Query("capital of Peru?", row="a"),
                Query("capital of Peru?", row="elsewhere"),
                Query("2 + 2?"),
            )
        ]
        assert [answer.text for answer in answers if isinstance(answer, Reply)] == ["Lima", "Lima.", "4"]

    def test_is_complete_free_and_shown_at_once(self) -> None:
        shown: list[str] = []
        outcome = Recorded(self.ROWS).ask(Query("2 + 2?"), shown.append)
        assert outcome == Reply(text="4", model="recorded", stop_reason="end_turn", cost_usd=0.0)
        assert shown == ["4"]

    def test_does_not_know_what_was_not_recorded(self) -> None:
        outcome = Recorded(self.ROWS).ask(Query("secret?"))
        assert kind(outcome) == "not_recorded"
        assert "secret" not in repr(outcome)


class TestScripted:
    def test_follows_its_script_and_remembers_the_queries(self) -> None:
        outcomes = (Reply("Lima", "m", "end_turn"), Outage("cut", "Gone.", "ask again"))
        teacher = Scripted(*outcomes)
        shown: list[str] = []
        assert [teacher.ask(Query(text), shown.append) for text in ("a", "b")] == list(outcomes)
        assert teacher.asked == [Query("a"), Query("b")]
        assert shown == ["Lima"]

    def test_fails_the_test_that_asks_once_more(self) -> None:
        with pytest.raises(AssertionError, match="before query 1"):
            Scripted().ask(QUESTION)


def test_importing_the_module_does_not_import_the_sdk() -> None:
    check = "import sys, shammah_mlx.teacher.claude; sys.exit('anthropic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


class TestTheLoopbackServer:
    """What the other tests take for granted."""

    def test_answers_without_a_stream_too_and_by_the_question(self) -> None:
        import anthropic

        with (
            Loopback(default=reply(lambda asked: asked.upper(), thinking="Hm.")) as server,
            anthropic.Anthropic(api_key=KEY, base_url=server.url) as client,
        ):
            message = client.messages.create(
                model="m", max_tokens=9, messages=[{"role": "user", "content": [{"type": "text", "text": "lima"}]}]
            )
        assert [block.type for block in message.content] == ["thinking", "text"]
        assert message.content[1].to_dict()["text"] == "LIMA"

    def test_streams_in_claudes_order(self) -> None:
        import anthropic

        with (
            Loopback(reply("Lima, Peru")) as server,
            anthropic.Anthropic(api_key=KEY, base_url=server.url) as client,
            client.messages.with_streaming_response.create(
                model="m", max_tokens=9, messages=[{"role": "user", "content": "?"}], stream=True
            ) as response,
        ):
            events = [line.removeprefix("event: ") for line in response.iter_lines() if line.startswith("event")]
        assert events == [
            "message_start",
            "content_block_start",
            "ping",
            *3 * ["content_block_delta"],
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]

    def test_leaves_no_thread_behind_even_if_it_hangs(self) -> None:
        before = threading.enumerate()
        with Loopback(hang()) as server:
            claude(server, timeout_s=0.1).ask(QUESTION)
            assert len(threading.enumerate()) > len(before)
        assert threading.enumerate() == before

    def test_runs_as_a_program_until_it_is_told_to_end(self) -> None:
        command = [sys.executable, loopback.__file__, "--reply", ANSWER]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
            assert program.stdout
            url = program.stdout.readline().strip()
            try:
                outcome = Claude(TeacherConfig(), CREDENTIAL, url).ask(QUESTION)
            finally:
                program.send_signal(signal.SIGTERM)
            assert program.wait(5) == 0
        assert isinstance(outcome, Reply)
        assert outcome.text == ANSWER
