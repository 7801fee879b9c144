"""Find commands that destroy in an answer: what deletes, overwrites or kills is never served lightly.

Reads commands, runs none, and knows shells by their words only: no alias, variable or script is followed.
"""

import re
from collections.abc import Iterator

# Commands that destroy: for each command what its arguments hold when it does.
_FORCE = r"(?:^|\s)(?:-[a-zA-Z]*f[a-zA-Z]*|--force)(?=\s|$)"
_DESTROYS = {
    "rm rmdir shred unlink srm userdel deluser groupdel dropdb killall pkill wipefs blkdiscard del Remove-Item": r"\S",
    "mkfs mkfs.ext3 mkfs.ext4 mkfs.xfs mkfs.btrfs mkfs.vfat mkfs.fat newfs": r"\S",
    "shutdown reboot halt poweroff": "",
    "dd": r"\bof=(?!/dev/null)",
    "truncate": "-",
    "mv cp ln": _FORCE,
    "sed": r"(?:^|\s)(?:-[nErsz]*i|--in-place)",
    "perl ruby": r"(?:^|\s)-[pnle0w]*i",
    "awk gawk": r"-i\s*inplace",
    "tee": r"^(?!.*(?:^|\s)(?:-\w*a|--append)).*(?:^|\s)(?!/dev/)[^-\s>]",
    "kill": r"(?:^|\s)-(?:9\b|(?:SIG)?KILL\b|s\s*(?:9|(?:SIG)?KILL))",
    "chmod chown chgrp": r"(?:-\w*R|--recursive).*\s/\w*/?\*?(?:\s|$)",  # of the root or a folder in it
    "git": rf"\bpush\b.*(?:{_FORCE}|--force|--mirror|--delete|\s\+\S)|\breset\b.*--hard|\bclean\b.*{_FORCE}"
    rf"|\bcheckout\b.*(?:\s--\s|\s\.(?:\s|$)|{_FORCE})|\brestore\b(?!.*--staged)|^rm\b(?!.*--cached)"
    r"|\bbranch\b.*\s-\w*D|\bstash (?:drop|clear)",
    "docker podman": rf"\bprune\b|\brmi?\b.*{_FORCE}|\bvolume rm\b|\bdown\b.*\s-v\b",
    "kubectl helm": r"\b(?:delete|uninstall)\b",
    "terraform tofu pulumi zfs zpool": "destroy",
    "aws": r"\bs3 (?:rm|rb)\b|--delete",
    "redis-cli": "(?i)flush",
    "rsync": "--del",
    "tar": "--remove-files",
    "crontab": r"^(?!.*(?:^|\s)-[le]).*\S",
    "history": r"(?:^|\s)-\w*c",
    "launchctl": "^remove",
    "diskutil": "(?i)erase|partition",
    "format": r"^[A-Za-z]:",
}
_RULES = {name: re.compile(rule) for names, rule in _DESTROYS.items() for name in names.split()}
_ANYWHERE = re.compile(  # tables, a fork bomb, find's own deletion, a crontab from a pipe
    r"\bdrop\s+(?:table|database|schema)\s+\w|\btruncate\s+table\s+\w|(?-i:\bTRUNCATE)\s+\w+\s*;|\bdropDatabase\(\)"
    r"|\bdelete\s+from\s+(?:(?!\bwhere\b)[^;])+(?:;|\Z)|(?<!\w)(\w{1,20}|:)\s*\(\)\s*\{\s*\1\s*\|\s*\1\s*&\s*\}"
    r"|\bfind\b(?:\\[;|]|[^;|\n])*?\s-delete\b|\|\s*(?:sudo )?crontab\s*(?:$|[;&|])",
    re.IGNORECASE | re.MULTILINE,
)
_FENCE = re.compile(r"```[ \t]*([\w+-]*)[^\n]*\n([\s\S]*?)(?:```|\Z)")
_SHELLS = frozenset(("", "sh", "bash", "zsh", "shell", "console", "terminal", "fish", "powershell", "text", "sql"))
_STRING = re.compile(r"\"((?:\\.|[^\"\\])*)\"|'([^']*)'|(?<!\S)#.*|</?[A-Za-z][^<>\s]*>|\{\}|\[\[.*?\]\]|\(\(.*?\)\)")
_RUNS = re.compile(r"\b(?:sh|bash|zsh|dash|ksh|eval|ssh|su|watch|trap)\b")
_SPLIT = re.compile(
    r"\|\||&&|(?<!>)\||(?<!\\);|(?<!>)&(?!>)|(?<!\\)[()`]|(?<=\s)[{}](?=\s)|\s-(?:exec|ok)(?:dir)?\s"
    r"|\b(?:do|then|else)\s"
)
_PREFIX = re.compile(  # what runs another command, and its options
    r"\s*(?:[$%\u276f]\s|!\s|\w+=\S*\s"
    r"|(?:\S*/)?(?:sudo|doas|env|nohup|time|timeout|command|exec|nice|busybox|npx|(xargs|parallel))\s)\s*(?:(?:-[IduagLPn]\s+(?:[\dQ]\S*|[A-Za-z%@]+(?=\s+[-a-z/]))|-\S+|\w+=\S*|\d+\w?)\s+)*"
)
_REDIRECT = re.compile(r"(?<![<>=\\-])>\|?(?![>=&(])\s*(?!/dev/(?:null|std|tty|fd)|\d+(?:\.\d+)?(?:\s|$))([^\s>]+)")
_NOT_A_COMMAND = re.compile(r"(?:if|elif|while|for|return|assert|where|select|let|const|var|def|when|[A-Z0-9(]|\w?$)")
_PROSE = re.compile(
    r"^\s*>.*\S\s+\S"
    r"|^\W*\w+(?: [A-Z]+)? (?:is|are|was|does|has|can|will|command|stands|means|removes|deletes|moves|copies|overwrites"
    r"|sends|kills)\b|\b(?:the|that|which|you|your|this|its|because|will)\b|(?<=[a-z][a-z])[.!?:]$"
)
_LONGEST = 10_000  # characters; some of the rules take the square of a text's length
_TOLD_TO = re.compile(
    r"\b(?:[Rr]un|[Tt]ype|[Ee]xecute|[Ee]nter|[Tt]ry|[Uu]se|[Cc]ommand):?\s+((?:sudo )?[a-z]+ (?:\w+ )?--?[a-zA-Z].*)"
)


def destroys(text: str) -> bool:
    """Say whether an answer is or holds a shell or SQL command that deletes, overwrites or kills.

    Looks at code blocks, inline code, lines that are commands and what prose says to run. Errs towards yes in code and
    towards no in prose. Does not promise what scripts, aliases and other languages' own calls do (`os.remove`). A text
    too long to be looked through counts as one that does.
    """
    return len(text) > _LONGEST or any(
        _ANYWHERE.search(code) or (shell and _runs_destroyer(code)) for code, shell in _code(text)
    )


def _code(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the code in an answer, and whether a shell would read it."""
    for language, block in _FENCE.findall(text):
        yield re.sub(r"\\\n", " ", block), language.lower() in _SHELLS
    prose = _FENCE.sub("\n", text)
    for piece in (*re.findall(r"`([^`\n]+)`", prose), *_TOLD_TO.findall(prose)):
        yield piece, True
    lines = (re.sub(r"^\s*(?:[-*+•]|\d+[.)])\s+", "", line) for line in re.sub(r"\\\n", " ", prose).splitlines())
    yield "\n".join(line for line in lines if not _PROSE.search(_STRING.sub("Q", line))), True


def _runs_destroyer(code: str) -> bool:
    """Say whether a command in the code, or in a string it hands to a shell, destroys."""
    for line in code.splitlines():
        if _RUNS.search(line) and any(_runs_destroyer(a or b) for a, b in _STRING.findall(line)):
            return True
        if any(_is_destroyer(command) for command in _SPLIT.split(_STRING.sub("Q", line))):
            return True
    return False


def _is_destroyer(command: str) -> bool:
    while prefix := _PREFIX.match(command):
        command = command[prefix.end() :] + (" Q" if prefix[1] else "")  # xargs hands it arguments
    name, _, arguments = command.strip().partition(" ")
    rule = _RULES.get(name.rsplit("/", 1)[-1].lstrip("\\"))
    return (rule is not None and rule.search(arguments) is not None) or _overwrites(command)


def _overwrites(command: str) -> bool:
    """Say whether > sends output to a file; a comparison has one word before it and no file's name after."""
    found = _REDIRECT.search(command)
    if found is None:
        return False
    before = command[: found.start()].rstrip("012& ").split()
    is_name = re.search(r"[./~$Q]", found[1]) is not None
    if not before:
        return is_name and command.strip().endswith(found[1])
    return not _NOT_A_COMMAND.match(before[0]) and (is_name or len(before) > 1)
