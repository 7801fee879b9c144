"""Questions whose answer must not be served again, and those that only look like them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.text import followups, freshness

FLEETING = [
    "what is the weather in Berlin",
    "what's the weather like today",
    "will it rain this afternoon?",
    "do I need an umbrella",
    "what time is it",
    "what time is it in Tokyo",
    "what day is it today",
    "what is the date",
    "what is Apple's stock price",
    "what is the price of bitcoin",
    "exchange rate of the euro to the dollar",
    "who is the president of France right now",
    "who is the prime minister of Japan",
    "what is the latest news",
    "any news about the strike",
    "what is on my calendar",
    "what's my balance",
    "how much money do I have",
    "read me my email",
    "do I have any meetings",
    "remind me to call mum",
    "wake me up at seven",
    "set an alarm for six",
    "where am I",
    "where did I park",
    "what was my last order",
    "when will my package arrive",
    "find a pharmacy near me",
    "what is the current unemployment rate",
    "which is the latest version of Python",
    "what films are on tonight",
    "is the museum open tomorrow",
    "who won the game yesterday",
    "what happened this week",
    "how many days until Christmas",
    "how many confirmed cases are there",
    "how should I dress today",
    "is it going to snow",
    "what are people saying about it now",
    "show me my shopping list",
    "is my flight on time",
    "what meetings do I have",
    "convert 10 USD to EUR",
    "what time does the sun set",
    "is it Friday",
    "when is the next bus",
]

LASTING = [
    "how do I undo my last git commit",
    "my printer does not work",
    "what does NOW() do in SQL",
    "what does NOW do in MySQL",
    "find files in the current directory",
    "show the current branch",
    "list files modified today",
    "delete logs from last week",
    "print the current date in bash",
    "how do I get the current time in Python",
    "count the lines of files changed yesterday",
    'translate "see you tomorrow" into French',
    "what does `date -d today` print",
    "how do I update to the latest macOS",
    "what is an alternating current",
    "how does electric current flow through a wire",
    "how do I cancel my current subscription",
    "what does 'as of now' mean",
    "what is the difference between weather and climate",
    "does the virus survive in warm weather",
    "how do I set up my email in Outlook",
    "why is my calendar not syncing",
    "how do I check my balance abroad",
    "what is a stock price",
    "what is an exchange rate",
    "how do I find the newest file in a folder",
    "kill the process that is now using port 80",
    "write a function that returns today's date in javascript",
    "find all files newer than last month",
    "how do mortgages work",
    "I had surgery yesterday, can I drink coffee?",
    "who was the first president of France",
    "what is the president's salary used for",
    "how old must I be to drive",
    "what is the time complexity of quicksort",
    "what is the date format in Germany",
    "how do I set the timezone with date",
    "what should I know about Now That's What I Call Music",
    "is tap water safe to drink",
    "how did people know the time before clocks",
]

LEANING = [
    "and what about the second one?",
    "why?",
    "Why not?",
    "shorter please",
    "make it shorter",
    "explain that again",
    "in French",
    "in Python please",
    "what do you mean",
    "what does that mean?",
    "it doesn't work",
    "It still fails",
    "continue",
    "go on",
    "tell me more",
    "the same for Python",
    "do the same with awk",
    "How do I undo it",
    "how does it work?",
    "why is that?",
    "is this normal?",
    "is it contagious?",
    "what about cats?",
    "but why?",
    "translate it into German",
    "give me another example",
    "more formal",
    "as a table",
    "are you sure?",
    "which one is better?",
    "what did you mean by your last answer",
    "can you do that without using regex",
    "where do they live",
    "how old is she",
    "what is its capital",
    "delete them",
    "no, the other one",
    "yes",
    "thanks",
    "without comments",
    "for cats?",
    "what else should I know",
    "explain the second one",
    "is that so",
    "who invented it",
    "what now",
    "I don't understand",
    "should I be worried about it",
    "help me understand this",
    "is there another way",
    "what makes it special",
    "use tabs instead",
]

STANDING = [
    "what is it called when water freezes",
    "why is the sky blue",
    "Is it safe to drink alcohol",
    "is it true that cats sleep a lot",
    "how long does it take to boil an egg",
    "why is it called COVID-19?",
    "will it rain more often with climate change",
    "how far is it from Rome to Paris",
    "does it matter whether I use tabs",
    "how do I undo a commit and push it",
    "find all empty files and delete them",
    "my phone is wet, how do I dry it",
    "what is a monad and how does it work",
    "coronavirus is it contagious",
    "translate this into French: good morning",
    "what does this do: `ls -la`",
    'explain "it is what it is"',
    "fix this code:\nprint(1",
    "how do I know that a melon is ripe",
    "what is the second law of thermodynamics",
    "which one is bigger, 9.11 or 9.9",
    "explain quantum physics",
    "how are you",
    "who are you",
    "what can you do",
    "what is Python",
    "what is French toast",
    "explain recursion in French",
    "write a poem about the sea",
    "what is the same-origin policy",
    "why do cats purr",
    "how to continue a line in bash",
    "how do I repeat a string in Python",
    "AND gate truth table",
    "what is the shorter side of a triangle called",
    "how do children learn what they want",
    "how do I thank a colleague",
    "OK Computer release date",
    "No Country for Old Men plot",
    "masks",
    "symptoms of flu",
    "the person that invented the telephone",
    "this week in history",
    "how do you say thanks in Japanese",
    "what does yes mean in German",
    "or operator in python",
    "it is raining",
    "why does it rain",
    "what is important",
    "hello",
    "do bats bite",
    "does it hurt when you get a tattoo",
    "when is it best to plant tulips",
    "give me more examples of mammals",
]


@pytest.mark.parametrize("text", FLEETING)
def test_an_answer_of_the_moment_is_fleeting(text: str) -> None:
    assert freshness.is_fleeting(text)


@pytest.mark.parametrize("text", LASTING)
def test_a_task_or_a_fact_lasts(text: str) -> None:
    assert not freshness.is_fleeting(text)


@pytest.mark.parametrize("text", LEANING)
def test_a_follow_up_leans_back(text: str) -> None:
    assert followups.leans_back(text)


@pytest.mark.parametrize("text", STANDING)
def test_a_whole_question_stands_alone(text: str) -> None:
    assert not followups.leans_back(text)


RULES = [freshness.is_fleeting, followups.leans_back]


@given(st.text() | st.text("0123456789 -abAB:=/.\"'`\n"))
def test_the_rules_take_any_text(text: str) -> None:
    assert {type(rule(text)) for rule in RULES} == {bool}


PIECES = [
    "password ",
    "a1B2",
    "4111 ",
    "GB82 ",
    "x://",
    "it ",
    "how ",
    "what is ",
    "`",
    '"',
    "my ",
    "-",
    "=",
    "is the ",
    "eyJ",
]


@pytest.mark.parametrize("piece", PIECES)
def test_the_rules_take_no_long_time_over_any_text(piece: str) -> None:
    text = piece * (10_000 // len(piece))
    started = time.perf_counter()
    for rule in RULES:
        rule(text)
    assert time.perf_counter() - started < 1
