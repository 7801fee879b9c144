"""List kinds of things of which a question names one: systems, shells, languages, file types, units.

Two questions that name different things of one kind seldom have the same answer. Pure text.
"""

from shammah_mlx.text.normalize import UNIT

# fmt: off
_KINDS = {  # each thing as its name and further names; "ubuntu<linux": who asks about Linux may mean Ubuntu
    "system": (
        "mac macos osx macbook imac", "windows win10 win11 win7", "linux", "ubuntu<linux", "debian<linux",
        "fedora<linux", "centos<linux", "arch<linux", "mint<linux", "raspberry", "freebsd", "android", "iphone ios",
        "ipad", "chromebook chromeos", "wsl",
    ),
    "shell": ("bash", "zsh", "fish", "powershell", "cmd", "tcsh csh", "ksh"),
    "version control": ("git", "svn subversion", "mercurial hg", "perforce"),
    "host": ("github", "gitlab", "bitbucket"),
    "editor": (
        "vim vi", "neovim nvim", "emacs", "nano", "vscode", "sublime", "notepad", "xcode", "intellij", "pycharm",
        "eclipse",
    ),
    "package manager": (
        "npm", "yarn", "pnpm", "bun", "pip", "conda anaconda", "poetry", "pipenv", "uv", "brew homebrew", "apt", "yum",
        "dnf", "pacman", "snap", "flatpak", "cargo", "gem", "composer", "maven", "gradle", "winget", "chocolatey",
    ),
    "database": (
        "postgres postgresql psql", "mysql", "mariadb", "sqlite", "mongodb mongo", "redis", "oracle", "mssql",
        "cassandra", "dynamodb", "duckdb",
    ),
    "language": (
        "python", "javascript js", "typescript ts", "java", "kotlin", "swift", "c", "c++ cpp", "c# csharp", "golang",
        "rust", "ruby", "perl", "php", "r", "scala", "haskell", "lua", "julia", "matlab", "sql", "awk", "fortran",
        "cobol", "elixir", "erlang", "clojure", "dart",
    ),
    "spoken language": (
        "english", "french", "german", "spanish", "italian", "portuguese", "dutch", "chinese", "mandarin", "japanese",
        "korean", "russian", "arabic", "hindi", "latin", "greek", "turkish", "polish", "swedish",
    ),
    "file type": (
        "pdf", "docx doc", "xlsx xls", "pptx", "csv", "tsv", "json", "yaml yml", "xml", "html", "markdown md", "toml",
        "ini", "png", "jpg jpeg", "gif", "webp", "svg", "heic", "tiff", "bmp", "mp3", "mp4", "wav", "mov", "avi", "mkv",
        "flac", "ogg", "zip unzip", "tar", "gz gzip gunzip", "tgz", "rar", "7z 7zip", "bz2", "xz", "epub", "txt",
        "parquet", "latex tex", "iso",
    ),
    "browser": ("chrome chromium", "firefox", "safari", "edge", "opera", "brave"),
    "application": (
        "excel", "powerpoint", "outlook", "gmail", "slack", "zoom", "discord", "whatsapp", "libreoffice", "photoshop",
        "gimp", "finder", "explorer", "spotify", "netflix", "youtube",
    ),
    "cloud": ("aws", "azure", "gcp", "heroku", "digitalocean"),
    "container": ("docker", "podman", "kubernetes k8s"),
    "web server": ("nginx", "apache", "caddy", "tomcat"),
    "framework": (
        "react", "vue", "angular", "svelte", "django", "flask", "fastapi", "rails", "laravel", "spring", "pandas",
        "polars", "numpy", "pytorch torch", "tensorflow", "keras",
    ),
    "protocol": ("ssh", "ftp", "sftp", "scp", "telnet", "http", "https", "imap", "smtp", "tcp", "udp", "dns", "arp"),
    "structure": ("dict dictionary hashmap", "list", "tuple", "array", "dataframe", "struct", "queue", "stack", "heap"),
    "in a repository": ("branch", "tag", "stash", "submodule", "worktree"),
    "encoding": ("utf-8 utf8", "utf-16 utf16", "ascii", "base64", "base32", "hex hexadecimal", "binary", "octal"),
    "hash": ("md5", "sha1", "sha256", "sha512", "crc32"),
    "key type": ("rsa", "ed25519", "ecdsa", "gpg pgp"),
    "colour": (
        "red", "orange", "yellow", "green", "blue", "purple violet", "pink", "brown", "black", "white", "grey gray",
    ),
    "animal": ("dog puppy", "cat kitten", "horse", "cow", "pig", "chicken", "duck", "rabbit", "hamster"),
    "relation": ("mother mom mum", "father dad", "wife", "husband", "son", "daughter", "brother", "sister"),
    "weekday": ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    "month": (
        "january", "february", "april", "june", "july", "august", "september", "october", "november", "december",
    ),
    "currency": ("dollar usd", "euro eur", "sterling gbp", "yen jpy", "franc chf", "rupee inr", "yuan"),
    "time": ("second", "minute min", "hour hr", "day", "week", "month", "year", "decade", "century"),
}
_MEASURES = (  # units that can stand without a number, beside those of `normalize`
    "celsius celcius centigrade °c", "fahrenheit farenheit °f", "kelvin °k", "stone", "acre", "hectare", "knot",
    "pint", "quart", "gallon", "yard", "radian", "joule", "calorie kcal", "horsepower", "psi", "pascal",
)
# fmt: on
_TIMES = frozenset(("second", "minute", "hour", "day", "week", "month", "year", "millisecond"))
_AMBIGUOUS = frozenset(
    ("in", "mi", "bit", "ms", "sec", "secs", "min", "mins", "hr", "hrs", "cup", "foot")
)  # in "2 cups for 1 cup" no unit
_SHORTEST = 2  # letters of a unit that stands without a number: m, g and h are other things as well

NAMED: dict[str, tuple[str, frozenset[str]]] = {}
"""Each word that names a thing: the kind of the thing, and the thing with what it is an instance of."""
for _kind, _things in _KINDS.items():
    for _thing in _things:
        _first, *_others = _thing.split()
        _name, _, _of = _first.partition("<")
        for _word in (_name, *_others):
            NAMED[_word] = (_kind, frozenset({_name, _of} - {""}))
for _word, _name in UNIT.items():
    if len(_word) >= _SHORTEST and _name not in _TIMES and _word not in _AMBIGUOUS and _word.isalpha():
        NAMED.setdefault(_word, ("unit", frozenset((_name,))))
for _thing in _MEASURES:
    for _word in _thing.split():
        NAMED[_word] = ("unit", frozenset((_thing.split()[0],)))


def kind_of(word: str) -> tuple[str, frozenset[str]] | None:
    """Return the kind of thing a word in lower case names, and the thing; None if it names none."""
    return NAMED.get(word) or (NAMED.get(word[:-1]) if word.endswith("s") else None)
