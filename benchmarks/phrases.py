"""List wordings that say the same: courtesies, frames for short answers, interchangeable phrases.

None has a number, a number word or a negation, so adding one leaves what an answer says as it is.
"""

import re

# What comes before an answer. None of them could be read as a yes.
OPENINGS = (
    "Good question.", "Great question!", "Thanks for asking.", "Here's what I can tell you:", "Happy to help.",
    "I'm happy to help with that.", "Here's the answer:", "That's a good question.", "Glad you asked!",
    "Let me help with that.", "Thank you for your question.", "Here's what I know about this:", "Good to ask!",
    "**Answer**", "To answer your question:", "Here's what I found:",
)  # fmt: skip
LONG_OPENINGS = (
    "Here's a quick overview:", "Let me explain.", "Here is some information on that:", "Here's what you should know:",
    "## Answer", "Here are the main points:", "## Overview",
)  # fmt: skip
REQUEST_OPENINGS = ("Happy to help with that.", "Here you go:", "Here's my attempt:", "Sure, happy to help!")
DONE_OPENINGS = ("Done!", "All done.", "All set.", "Okay.", "Sure thing.")
SHORT_CLOSINGS = (
    "I hope this helps!", "Let me know if you have any other questions.", "Is there anything else I can help you with?",
    "If you have further questions, just ask.", "Please let me know if you need anything else.",
    "Let me know if I can help with anything else.",
)  # fmt: skip
DONE_CLOSINGS = (*SHORT_CLOSINGS[2:], "Is there anything else you would like me to do?",
                 "Is there anything else you'd like me to do?")  # fmt: skip
CLOSINGS = (
    *SHORT_CLOSINGS, "Is there anything else you'd like to know?", "Feel free to ask if you'd like more detail.",
    "I'm happy to explain further if that's useful.", "Let me know if you'd like more information.",
    "Just ask if anything is unclear.", "Would you like me to go into more detail?", "Hope that helps!",
    "I'm happy to answer any follow-up questions.", "If you want more detail on any part of this, let me know.",
    "Please ask if you would like to know more.", "I'm here if you have more questions.",
    "I hope that answers your question.",
)  # fmt: skip
NOTES = ("Please note that", "Note that", "It's worth knowing that", "It should be noted that", "Keep in mind that")

COMMAND_LEADS = (
    "You can run:", "Try this command:", "You can use:", "Run this:", "This should do it:", "This command does that:",
    "Here's the command:", "Here is a command for that:", "You could use the following command:", "The command is:",
    "The following command does this:", "Sure, here's the command:", "In a terminal, run:", "Use this command:",
    "You can do this with:", "Here's how:", "Use the following:", "A command that does this:",
)  # fmt: skip
INLINE_COMMANDS = ("Use `{}`.", "You can run `{}`.", "Try `{}`.", "Run `{}` in a terminal.", "`{}` does this.")
JSON_LEADS = ("Here's the JSON:", "Here is the result:", "The JSON is:", "The command as JSON:", "Sure, here it is:")
LABEL_FRAMES = (
    "{}", "`{}`", "**{}**", "The intent is {}.", "The intent is `{}`.", "Intent: {}", "Intent: **{}**",
    "That would be: **{}**", "That would be {}.", "This falls under {}.", "I'd classify this as {}.",
    "I would label this {}.", "The best match is {}.", "The label is {}.", "Category: {}", "The category is `{}`.",
    "The intent here is {}.", "Classification: `{}`", "The intent of this request is {}.",
)  # fmt: skip
PLAIN_FRAMES = ("{}", "`{}`", "**{}**", "Answer: `{}`", "The answer is `{}`.", "The answer: **{}**")
ANSWER_FRAMES = (
    "{}", "{}.", "**{}**", "The answer is {}.", "The answer is **{}**.", "Answer: {}", "Answer: **{}**",
    "The answer would be {}.", "So the answer is {}.", "My answer is {}.", "The correct answer is {}.",
    "The answer here is {}.", "In this case, the answer is {}.", "Here, the answer is {}.", "Answer:\n\n{}",
)  # fmt: skip
NUMBER_FRAMES = (*ANSWER_FRAMES, "{} is the answer.", "**{}** is the answer.", "It's {}.", "It is {}.", "That's {}.",
                 "That would be {}.", "It's **{}**.")  # fmt: skip

NOT = tuple(f"{verb} not" for verb in (
    "do", "does", "did", "is", "are", "was", "were", "will", "would", "should", "could", "have", "has", "had",
))  # fmt: skip
CONTRACTED_NOT = {
    **{phrase: phrase.removesuffix(" not") + "n't" for phrase in NOT}, "will not": "won't", "cannot": "can't",
}  # fmt: skip
_CLAUSE = r"(?:(?<=^)|(?<=[.!?:;,] )|(?<=\band )|(?<=\bthat )|(?<=\bbut )|(?<=\bif )|(?<=\bbecause ))"
_INVERTED = r"(?! (?:i|you|we|they|he|she|it|there|this|that|only)\b)"  # "Don't you …?", "is not only …"

SAME: tuple[tuple[str, tuple[str, ...]], ...] = (
    # A pattern for the words to replace, and what may stand instead; each holds wherever the pattern matches.
    *((rf"\b{full}\b{_INVERTED}", (short,)) for full, short in CONTRACTED_NOT.items()),
    *((rf"\b{short}\b{_INVERTED}", (full,)) for full, short in CONTRACTED_NOT.items()),
    *(
        (rf"{_CLAUSE}{full}(?= [a-z])", (short,))
        for full, short in (
            ("it is", "it's"),
            ("there is", "there's"),
            ("you are", "you're"),
            ("they are", "they're"),
            ("we are", "we're"),
            ("you will", "you'll"),
            ("I will", "I'll"),
        )
    ),
    *(
        (rf"\b{short}\b(?= [a-z])(?! (?:been|got|become)\b)", (full,))
        for full, short in (
            ("it is", "it's"),
            ("you are", "you're"),
            ("they are", "they're"),
            ("we are", "we're"),
            ("you will", "you'll"),
        )
    ),
    (r"\byou'd(?= like\b)", ("you would",)),
    (r"\byou have(?= (?:been|developed)\b)", ("you've",)),
    (r"\bI've\b", ("I have",)),
    (r"\bI have(?= (?:added|set|turned|started|created)\b)", ("I've",)),
    (r"^here (is|are)\b", (r"below \1", r"sure, here \1", r"certainly! Here \1")),
    (r"^sure, here\b", ("here", "certainly! Here")),
    (r"\bin order to\b", ("to",)),
    (r"\bsuch as\b", ("like",)),
    (r"(?<=symptoms )like\b", ("such as",)),
    (r"\bfor example\b", ("for instance",)),
    (r"\bfor instance\b", ("for example",)),
    (r"\be\.g\.,?", ("for example,",)),
    (r"\bapproximately\b", ("about", "roughly", "around")),
    (r"\butilize\b", ("use",)),
    (r"\bprior to\b", ("before",)),
    (r"\bdue to(?= (?:the|a|an|their|its|this)\b)", ("because of",)),
    (r"\bbecause of\b", ("due to", "owing to")),
    (
        r"(?<!how )(?<!as )(?<!so )(?<!too )(?<!the )(?<!that )\bmany(?= people\b)",
        ("a lot of",),
    ),
    (r"(?<!the )\bseveral(?= (?:\w+ )?(?:ways|people|factors|reasons|types)\b)", ("a number of",)),
    (r"\bcurrently,", ("at present,", "at the moment,")),
    (r"(?<!even )(?<!until )\bright now,", ("at the moment,",)),
    (r"\bat this time,", ("at the moment,", "currently,")),
    (r"\bbegins\b", ("starts",)),
    (r"\bbegin\b", ("start",)),
    (r"\b(?:additionally|furthermore|moreover),", ("in addition,", "furthermore,", "additionally,")),
    (r"\bas well as\b(?! (?:possible|can|you)\b)", ("along with",)),
    (r"\bimmediately(?=[.,;])", ("right away", "at once")),
    (r"\bseek medical attention\b", ("seek medical care", "get medical help")),
    (r"\btrouble breathing", ("difficulty breathing",)),
    (r"\bdifficulty breathing\b", ("trouble breathing",)),
    (r"\bhealth care provider", ("healthcare provider",)),
    (r"\bfrequently\b", ("often",)),
    (r"\bindividuals who\b", ("people who",)),
    (r"\bmore information\b", ("further information",)),
    (r"\b(?:is|are) able to\b", ("can",)),
    (r"(?<!you )\bmay(?= (?:also |not )?(?:be|have|appear|experience)\b)", ("might",)),
    (r"\bmake sure(?= (?:that|you)\b)", ("ensure",)),
    (r"\bensure(?= (?:that|you|they)\b)", ("make sure",)),
    (r"\b(?<=you )need to\b", ("have to",)),
    (r"\bas soon as possible\b", ("as quickly as possible",)),
    (r"\binstead of(?= \w+ing\b)", ("rather than",)),
    (r"\balthough\b", ("though", "even though")),
    (r"(?<=[a-z] )(?<!is )(?<!just )because(?= (?:it|they|we|you|the)\b)", ("since",)),
    (r"\btypically\b", ("usually",)),
    (r"\busually\b", ("typically",)),
    (r"\ba (?:wide )?variety of\b", ("a range of",)),
    (r"\bamongst\b", ("among",)),
    (r"\b(?:in summary|in conclusion|to sum up|overall),", ("in summary,", "to sum up,", "in short,", "overall,")),
    (r"(?<=can |may )lead to\b", ("result in",)),
    (r"\btherefore,", ("as a result,", "for this reason,")),
    (r"\bit is (?:very )?important(?= to\b)", ("it's important", "it is essential")),
    (r"\bit is recommended\b", ("it's recommended", "it is advised")),
    (r"\bhowever,(?![^.]*\bstill\b)", ("that said,", "still,")),
    (r"(?:(?<=^)|(?<=[.!?] ))based on(?= (?:the|your|today)\b)", ("according to", "going by")),
    (r"\baccording to(?= (?:the|your)\b)", ("based on",)),
    (
        r"(?<=has been |ave been )(turned on|turned off|opened|closed|paused|locked|muted|started)(?=[.,])",
        (r"\1 successfully", r"successfully \1"),
    ),
    (
        r"(?<=has been |ave been )(turned on|turned off|opened|closed|paused|locked|muted|started) successfully",
        (r"\1",),
    ),
    (r"\bhas been turned (on|off)(?=\.)", (r"is now \1", r"is now turned \1")),
    (r"\bhave been (opened|closed)(?=\.)", (r"are now \1",)),
    (r"\bis now turned (on|off)\b", (r"has been turned \1", r"is now \1")),
)
PATTERNS = tuple((re.compile(pattern, re.IGNORECASE), instead) for pattern, instead in SAME)
