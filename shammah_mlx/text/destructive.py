"""Recognise answers that hold a destructive command: one that deletes, overwrites or kills.

Matches text and runs nothing. Does not expand aliases, variables or scripts.
"""

import re
from collections.abc import Iterator

# Destructive commands, each with the pattern that its arguments match when it destroys something.
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
_PREFIX = re.compile(  # a command that runs another one, with its options
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
_LONGEST = 10_000  # characters; some patterns take quadratic time
_INSTRUCTION = re.compile(
    r"\b(?:[Rr]un|[Tt]ype|[Ee]xecute|[Ee]nter|[Tt]ry|[Uu]se|[Cc]ommand):?\s+((?:sudo )?[a-z]+ (?:\w+ )?--?[a-zA-Z].*)"
)


def destroys(text: str) -> bool:
    """Say whether an answer is or holds a shell or SQL command that deletes, overwrites or kills.

    Looks at code blocks, inline code, lines that are commands, and commands that prose says to run. Errs towards yes in
    code and towards no in prose. Misses scripts, aliases and calls of other languages (`os.remove`). A text longer than
    `_LONGEST` counts as destructive.
    """
    return len(text) > _LONGEST or any(
        _ANYWHERE.search(code) or (shell and _runs_destroyer(code)) for code, shell in _code(text)
    )


def _code(text: str) -> Iterator[tuple[str, bool]]:
    """Yield each piece of code in an answer, and whether it is for a shell."""
    for language, block in _FENCE.findall(text):
        yield re.sub(r"\\\n", " ", block), language.lower() in _SHELLS
    prose = _FENCE.sub("\n", text)
    for piece in (*re.findall(r"`([^`\n]+)`", prose), *_INSTRUCTION.findall(prose)):
        yield piece, True
    lines = (re.sub(r"^\s*(?:[-*+•]|\d+[.)])\s+", "", line) for line in re.sub(r"\\\n", " ", prose).splitlines())
    yield "\n".join(line for line in lines if not _PROSE.search(_STRING.sub("Q", line))), True


def _runs_destroyer(code: str) -> bool:
    """Say whether the code runs a destructive command, itself or in a string that it passes to a shell."""
    for line in code.splitlines():
        if _RUNS.search(line) and any(_runs_destroyer(a or b) for a, b in _STRING.findall(line)):
            return True
        if any(_is_destroyer(command) for command in _SPLIT.split(_STRING.sub("Q", line))):
            return True
    return False


def _is_destroyer(command: str) -> bool:
    while prefix := _PREFIX.match(command):
        command = command[prefix.end() :] + (" Q" if prefix[1] else "")  # xargs passes it arguments
    name, _, arguments = command.strip().partition(" ")
    rule = _RULES.get(name.rsplit("/", 1)[-1].lstrip("\\"))
    return (rule is not None and rule.search(arguments) is not None) or _overwrites(command)


def _overwrites(command: str) -> bool:
    """Say whether `>` sends output to a file; a comparison has one word before it and no file name after it."""
    found = _REDIRECT.search(command)
    if found is None:
        return False
    before = command[: found.start()].rstrip("012& ").split()
    is_name = re.search(r"[./~$Q]", found[1]) is not None
    if not before:
        return is_name and command.strip().endswith(found[1])
    return not _NOT_A_COMMAND.match(before[0]) and (is_name or len(before) > 1)
