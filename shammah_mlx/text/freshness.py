"""Recognise questions whose answer depends on the moment or on the person who asks.

Patterns over text, no model: they match wordings, not meanings. Most are English; of other languages only the words for
the moment are known.
"""

import re

from shammah_mlx.text.normalize import straighten_quotes

_I = re.IGNORECASE
# Some wordings always ask about the moment or the person; "today" and "current" do so only outside a task.
_ASIDE = re.compile(  # code, quotations, and words that only look like the present
    r"```[\s\S]*?```|`[^`]*`|\"[^\"]*\"|(?<!\w)'[^'\n]*'(?!\w)|\b\w+\(\)|\b[A-Z]+_[A-Z_]+\b|\bNOW (?=do|in|func|ret)"
    r"|\b(?:alternating|direct|electric(?:al)?|ocean|[AD]C) currents?\b|\b[Cc]urrent account|\bmy current\b"
    r"|\b[Cc]urrents?(?= (?:flow|through|source|density|and voltage))|\b[Nn]ow(?: [Tt]hat\b|,| and (?:then|again))"
    r"|\b(?:until|by|up to|am|are|know|from) now\b|\bat the latest\b"
    r"|^(?:I|We|My \w+) (?:\w+ )??(?:was|had|have|got|ate|took|\w+ed)\b[^,.?!]*[,.](?= )"  # what happened earlier
)
_MOMENT = re.compile(
    r"\bwhat(?:'s| is|s)? (?:the )?(?:time|date|day|month|year)(?: is it| now)?(?:\?|$| in (?-i:[A-Z]))"
    r"|\b(?:what (?:time|day|year) )?is it (?:still |be |going to )*(?:rain|snow|sunny|\w+day\W*$|\?*$)"
    r"|\bwill it (?:rain|snow)|\b(?:the|today's|local|latest|any|breaking) (?:news|headlines)\b"
    r"|\bnews (?:about|on|from)\b|\bneed an umbrella\b|\b(?:what|how)(?:'s| is|s) the (?:weather|traffic|forecast)"
    r"|\bweather (?:like|forecast|for|in (?-i:[A-Z])|outside)"
    r"|\bwho(?:'s| is) (?:winning|the (?:\w+ )?(?:president|prime minister|pope|ceo|chancellor|mayor|head coach)\b)"
    r"|\bwho won (?:the )?(?:last|latest|game|match|election)|\bscores? of the (?:\w+ )?(?:game|match)"
    r"|\bwhen is the next\b|\b(?:stock|share|gas|oil|gold) prices? (?:of|for|in)\b|'s (?:stock|share) price"
    r"|\bstock market (?:do|up|down|open)|\bprice of (?:\w+ )?(?:bitcoin|gold|oil|gas|petrol|stock|shares)"
    r"|\bbitcoin (?:worth|going)|\bsun (?:set|rise)s?\W*$"
    r"|\b(?:sun(?:set|rise) time|moon phase|phase of the moon)\W*$|\bexchange rate (?:of|from|between|for)"
    r"|\d (?:usd|eur|gbp|dollars|euros|pounds|yen) (?:in|to) (?:\w+ )?\w+\W*$"
    r"|\b(?:number of|how many)(?: new| confirmed| active| \w*covid\S*)* (?:cases|infections)\b|\bpeople are infected"
    r"|\bhow many (?:days|weeks|months) (?:are )?(?:left )?until\b"
    r"|\b(?:latest|newest|current)(?: \w+)? (?:version|release) of"
    r"|\b(?:dollar|euro|pound|yen|yuan|franc|rupee|usd|eur|gbp|jpy)s? (?:to|vs|in) (?:\w+ )?\w+ (?:exchange )?rate"
    r"|^did (?:the )?(?-i:[A-Z])[\w ]{1,30} (?:win|lose|score|play|draw)"
    r"(?: (?:again|today|yesterday|tonight|last \w+|(?:the|their) (?:game|match|race)))?\W*$"
    r"|^is (?!there\b)[\w. ]{2,25} (?:down|offline|online|up and running|having (?:an outage|issues|problems))\W*$",
    _I,
)
_MOMENT_ELSEWHERE = re.compile(  # the same in other languages
    r"\b(?:wie spät|uhrzeit|wie viel uhr|(?:welche[rns]?|was für ein) (?:tag|datum)|heute|gerade jetzt|aktuell\w*"
    r"|derzeit|(?:das|unser|zum) wetter|wetter(?:bericht|vorhersage| in| morgen)|schlagzeilen"
    r"|nachrichten (?:von|aus|über)|wer (?:hat|ist) (?:gerade )?(?:gewonnen|präsident|kanzler\w*)"
    r"|quelle heure|aujourd'hui|en ce moment|actuellement|météo|actualités|quel jour"
    r"|qué hora|que hora|qué día|hoy|ahora mismo|actualmente|tiempo hace|noticias|clima de"
    r"|che ore|che giorno|oggi|adesso|attualmente|che tempo fa|notizie"
    r"|que horas|hoje|agora mesmo|atualmente|notícias|como está o tempo"
    r"|hoe laat|vandaag|op dit moment|momenteel|het weer in|nieuws|i dag|just nu|idag|vädret|nyheter"
    r"|która godzina|dzisiaj|dziś|teraz|pogoda|который час|сколько времени|сегодня|сейчас|погода|новости"
    r"|saat kaç|bugün|şu an|hava durumu)\b"
    r"|今日|今天|现在|現在|今何時|何時ですか|几点|幾點|天気|天气|天氣|ニュース|新闻|新聞|오늘|지금|날씨|몇 시|뉴스"
    r"|اليوم|الآن|الطقس|आज|अभी|मौसम|היום|עכשיו",
    _I,
)
_PERSON = re.compile(
    r"\b(?:re?mind|wake) me\b|\bset (?:an? |the |my )?(?:\w+ )?(?:alarm|timer|reminder)|\b(?:where|who) am i\b"
    r"|\bwhere did i (?:park|put|leave|save)|\b(?:near|around|close to|closest to|nearest to) me\b"
    r"|\bwhat(?:'s| is|s) my\b|\bwhere.{1,25}\b(?:nearest|closest)\b"
    r"|\bdo i have (?:any |an? )?(?:\w+ ){0,2}(?:meeting|appointment|message|e?mail)"
    r"|\b(?:meetings|appointments|messages|e?mails?|mail) (?:do|have|did) i\b"
    r"|\bmy (?:last|next|latest|upcoming|pending) \w+"
    r"|\bhow much (?:money )?(?:do|did|have) i (?:have|spend|spent|owe|make)\b"
    r"|\bis my \w+ (?:on time|late|delayed|ready)"
    r"|\b(?:when|where)(?:'s| is| are| does| will) my (?:\w+ )?(?:order|package|parcel|flight|train|phone|car|keys"
    r"|appointment)|\b(?:show|check|read|open|tell|list|see|get|on|in|to|from|any|add|new"
    r"|clear) (?:\w+ ){0,4}?my (?:\w+ )?(?:calendar|schedule|agenda|inbox|balance|e?mails?|messages"
    r"|(?:shopping|to-?do) list|reminders|transactions|bills?|orders?)\b"
    r"|\b(?:how many|are there|is there).{1,40}\bin my (?:country|city|town|area|neighbou?rhood|state|region)",
    _I,
)
_DAY = re.compile(
    r"\b(?:(?:to(?:day|night|morrow)|yesterday)(?:'s)?|(?:right|just) now|at (?:the|this) moment)\b"
    r"|\b(?:this|next|last) (?:week|weekend|month|morning|afternoon|evening|night)\b",
    _I,
)
_STATE_OF = re.compile(r"\b(?:current(?:ly)?|latest|newest|most recent(?:ly)?|now)\b", _I)
_TASK = re.compile(  # the answer is a command or code: it stays right while what it finds changes
    r"\b(?:sub)?(?:files?|director(?:y|ies)|folders?|filesystem|branch(?:es)?|commits?|repos?|repositor(?:y|ies)|git"
    r"|shell|bash|zsh|terminal|scripts?|commands?|sql|query|regex|variables?|functions?|process(?:es)?|timestamps?"
    r"|symlinks?|inodes?|paths?|cursor|cron|crontab|rows?|dataframe|logs|docker|container|kubernetes|stdout"
    r"|(?:user|host) ?names?|current user"
    r"|(?:in|with|using) (?:python|java\w*|excel|postgres\w*|mysql|sqlite|rust|go|ruby|php|c|swift|linux|powershell))\b"
    r"|[\w*]\.(?:py|txt|js|sh|log|csv)\b|\$\w|C#|C\+\+",
    _I,
)
_HOW = re.compile(r"(?:please |hi )?(?:how (?:do|can|could|should|would|to)|steps to|why (?:does|is|are|can|do))\b", _I)
_MEANING = re.compile(r"^what (?:is|are|does) an? |\b(?:means?|definition|synonyms?|difference between)\b|^define ", _I)


def is_fleeting(text: str) -> bool:
    """Say whether the right answer depends on when, where or by whom the question is asked.

    Knows the usual wordings. A how-to, or a task for a shell or a program, is not fleeting even if it mentions today
    or the current directory. Misses facts that change slowly: "how tall is the tallest building".
    """
    plain = _ASIDE.sub(" ", straighten_quotes(text)).strip()
    if _MOMENT_ELSEWHERE.search(plain):
        return True
    if _MEANING.search(plain):
        return False
    if _MOMENT.search(plain) or _TASK.search(plain):
        return _MOMENT.search(plain) is not None
    asks = None if _HOW.match(plain) else _PERSON.search(plain) or _STATE_OF.search(plain)
    return (asks or _DAY.search(plain)) is not None
