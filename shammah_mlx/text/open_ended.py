"""Recognise questions to which another answer each time is wanted: something random, or something made up.

Patterns, no model: they match wordings, not meanings. English first, and the usual wordings of some other languages.
"""

import re

from shammah_mlx.text.normalize import straighten_quotes

_I = re.IGNORECASE
_ASIDE = re.compile(r"```[\s\S]*?```|`[^`]*`|\"[^\"]*\"")  # code and quotations
_HANDLED = (  # after the name of a work: a program handles it, or it is a measure
    r"(?! (?:\w+ )?(?:generators?|apps?|api|bots?|class(?:es)?|tables?|models?|fields?|columns?|points?|parsers?"
    r"|pages?)\b)"
)
_SHORT_WORKS = rf"(?:jokes?|puns?|riddles?|poems?|haikus?|limericks?|stor(?:y|ies)|fun facts?)\b{_HANDLED}"
_WORKS = (
    r"(?:poems?|haikus?|limericks?|sonnets?|verses?|lyrics|songs?|jokes?|puns?|riddles?|stor(?:y|ies)|tales?|fables?"
    r"|essays?|speech(?:es)?|toasts?|slogans?|taglines?|tweets?|blog posts?|love letters?|dialogues?|screenplays?"
    r"|birthday (?:wish|message|card)(?:es|s)?|trivia questions?|fun facts?|writing prompts?|conversation starters?"
    r"|(?:plots?|captions?|characters?) (?:for|of) (?:\w+ ){1,3}?(?:novel|story|play|game|photo|film|movie|book))"
    rf"\b{_HANDLED}"
)
_NO_RATING = (  # after the name of a work: "give Star Songs 4 out of 6" gives it points
    r"(?![^.?!]{0,60}\b(?:out of (?:\d|five|six|ten)|rating"
    r"|(?:\d|zero|one|two|three|four|five|six) (?:stars?|points?))\b)"
)
_TOOL = (  # what a program deals with
    r"(?:functions?|scripts?|commands?|code|programs?|algorithms?|quer(?:y|ies)|arrays?|vectors?|matri(?:x|ces)|lists?"
    r"|rows?|tables?|columns?|files?|folders?|director(?:y|ies)|lines?|strings?|variables?|class(?:es)?|index(?:es)?"
    r"|regex|process(?:es)?|urandom|openssl|shuf|awk|sed|apis?|seed(?:s|ed)?|loops?)"
)
_GAME = r"(?:truth or dare|rock,? paper,? (?:and |or )?scissors)"
_CREATIVE = re.compile(
    r"\b(?:write|compose|make up|invent|create|come up with|generate|draft|sing)\b"
    rf"(?: (?!{_TOOL}\b)[\w'-]+){{0,5}}? {_WORKS}"
    r"|\b(?:tell|ask|give|hear|shar(?:e|ing)|know|got|hit me with)\b"
    r"(?: (?!(?:the|this|that|if|whether|about|what|how|who|why|stars?|points?|rating)\b)[\w'-]+){0,4}?"
    rf" {_WORKS}{_NO_RATING}"
    rf"|\b(?:another|one more|how about an?|an? (?:new|different|funny|short)) {_SHORT_WORKS}"
    r"|\b(?:brainstorm|improvise|(?:surprise|entertain|amuse|quiz|inspire) me|make me laugh|tell me something"
    r"|say something (?:nice|random|new)|(?:hear|know|share|say) something (?:funny|hilarious)|funniest thing you"
    r"|magic (?:8|eight).?ball|decide for me"
    rf"|(?:let's )?play {_GAME}|\A(?:would you rather|{_GAME}\W*\Z))\b",
    _I,
)
_ADVICE = re.compile(  # one of many good answers
    r"\b(?:give|suggest|come up with|think of|need|want|any|some)\b(?: (?!(?:the|this|that|another)\b)[\w'-]+){0,4}?"
    r" (?:ideas?|names?|suggestions?) (?:for|to call|to name)\b"
    rf"|\bwhat(?:'s| is) an? (?:good|funny|nice) {_SHORT_WORKS}|\bmy lucky numbers?\b"
    r"|\b(?:good|nice|funny|cute|catchy|creative|cool) (?:\w+ )?names? for\b"
    r"|\b(?:suggest|propose|invent|find|come up with|think of) (?:an?|some|\d+) (?:[\w-]+ )?(?:user|nick)?names?\b"
    r"|\b(?:gift|present|party|dinner|lunch|date|costume|recipe|birthday) ideas?\b"
    r"|\bwhat (?:should|shall|could|can) (?:i|we) (?:(?:call|name) (?:my|our|the|a|it)\b|eat|cook|watch|wear"
    r"|get (?:my|for)|(?:read|play|do) (?:next|today|tonight|this|on)\b)",
    _I,
)
_KEYS = r"(?:(?:uu|gu)ids?(?: v\d)?|passwords?|passphrases?|pins?|tokens?|secrets?|api keys?|nonces?|salts?)"
_MADE = (  # what a key is that is made now, not one that exists: no "wifi password", no "reset password"
    r"(?:strong|secure|safe|good|great|new|fresh|unique|complex|complicated|memorable|easy|simple|hard|long|short|cool"
    r"|random|temporary|throwaway|unguessable|uncrackable|unbreakable|pronounceable|alphanumeric|numeric|hex|strongest"
    r"|best|different|other|more|\w+-(?:digit|characters?|char|words?|letters?|bits?|to-guess)|digit|character|char"
    r"|word|letter|bit|to (?:remember|guess|crack)|and|very|really|super|\d+)"
)
_EXISTING = r"(?:the|my|your|our|his|her|their|its|this|that|to|help|no)"
_TO_TOSS = (
    r"(?:coins?|quarter|dime|penny|nickel|wheel|bottle"
    r"|dice|\d*d\d+|(?:an?|one|the|this|that|my|fair|[\w-]*sided) die)\b"
)
_RANDOM = re.compile(
    r"(?<![.\w])random(?:ly)?(?!\.?\w|\()"
    r"(?! (?:forests?|variables?|walks?|access|effects?|sampling|seeds?|process(?:es)?|matri\w+|fields?"
    r"|number generators?)\b)"
    rf"|\b(?:roll|throw|toss|cast|shoot|flip|spin) (?:[\w-]+ ){{0,4}}?{_TO_TOSS}|^\W*\d*d\d+\b|\bflip it\b"
    r"|\b(?:coin|dice|die) (?:\w+ )?(?:flipped|rolled|tossed|lands?)|\bcall (?:heads|tails)\b"
    r"|\b(?:dic?e (?:roll|throw)|coin (?:flip|toss)|heads or tails|fortune cookie|(?:lottery|lotto|lucky) numbers?"
    r"|deal (?:me|us)|shuffle (?:(?:a|the|my) deck|this|these|the following)"
    r"|(?:pick|choose|draw|say) (?:an?|any|one|some) (?:number|card|colou?r|letter|word|name|winner)"
    r"|think of an? (?:number|card|colou?r|word)|guess (?:an?|my) number|pick one)\b"
    r"|^(?:please )?(?:(?:give|tell|say|name|show|i need|i want|any) )?(?:me )?(?:an?|any)? ?numbers?"
    r" (?:between|from) \d"
    r"|^(?:please )?(?:shuffle\b|yes or no\W*\Z|(?:tell me |give me )?(?:again|next|(?:an)?other|one more)\W*\Z)"
    r"|\b(?:(?:generate|create|make|suggest|propose|invent|think of|come up with)(?: (?:me|us))?"
    rf" (?:(?!{_TOOL}\b)[\w-]+ ){{0,4}}?"
    rf"|(?:give|need|want)(?: (?:me|us))? (?:(?!(?:{_TOOL}|{_EXISTING})\b)[\w-]+ ){{0,4}}?){_KEYS}"
    r"(?= (?:please|for (?:me|my|our|an?|the)|with \d+|of (?:length )?\d+)\b|\W*\Z)",
    _I,
)
_SHORT = re.compile(  # nothing but the name of what is wanted, "a strong password, please", and what it is about
    r"(?:(?:please|ok|okay|hey|hi|now|and|just|i(?:'d| would)? (?:need|want|like)|can i (?:have|get)"
    r"|(?:get|give|send) me|how about),? )*(?:(?:(?:an?|another|one more|some|next|one|two|three|\d+) )"
    rf"(?:(?!no\b)[\w-]+ ){{0,2}}?{_KEYS}|(?:{_MADE},? ){{0,3}}{_KEYS}"
    r"|(?:(?:an?|another|one more|some|the next|next|new|one|two|three|\d+) )?(?:(?!no\b)[\w-]+ ){0,2}?"
    rf"(?:{_SHORT_WORKS}|raps?|affirmations?|(?:inspir|motivat)\w+ quotes?"
    r"|quotes? (?:of|for) (?:inspir|motivat)\w+|story time|(?:password|name|number) generator))"
    r"(?:(?: (?:about|for|on|of|with) [^.?!]*)?(?:,? please)?\W*\Z)",
    _I,
)
_KEY_ALONE = re.compile(  # a term alone: it asks what that is
    rf"{_KEYS}\W*\Z|(?:[\w-]+ ){{0,2}}?(?:tokens?|secrets?|salts?|nonces?|pins?)\b", _I
)
_ONE_MORE = re.compile(  # something else than before, whatever that was
    r"\b(?:another|one more|a different|some (?:other|more)|any (?:other|more)) (?:[\w-]+ )?"
    r"(?:examples?|ideas?|suggestions?|options?|recipes?|quotes?|facts?|tips?|one)(?: please)?\b"
    r"(?! (?:is|are|was|that|which|who|has|had|in|of)\b)",
    _I,
)
_ONE_MORE_AT_END = re.compile(r"\b(?:another one|one more(?: one| time)?|a different one)(?:,? please)?\W*\Z", _I)
_GIVEN_RANDOM = re.compile(  # not a program that makes one
    rf"(?:please )?(?:give|generate|make|create|tell|i need)(?: me| us)? (?:an? |some |\d+ )?random (?!{_TOOL}\b)"
    r"(?:[\w-]+ ){1,2}(?:string|sequence|number|word)s?(?! (?:in|with|using)\b)",
    _I,
)
_ELSEWHERE = re.compile(
    r"\b(?:erzähl|sag|schreib|gib|noch ein)\w*\b[^.?!]{0,25}\b(?:witz|rätsel|gedicht|geschichte)|\bwürf(?:le|el mal)\b"
    r"|\bwirf [^.?!]{0,15}\b(?:münze|würfel)|\bkopf oder zahl\b|\b(?:nenn|gib|wähl)\w*[^.?!]{0,20}\bzufallszahl"
    r"|\b(?:erstell|generier|erzeug|mach|gib|nenn|denk|schlag|ein (?:sicheres|starkes|neues))\w*[^.?!]{0,20}"
    r"\b(?:passw[oö]rt|kennw[oö]rt)"
    r"|\b(?:cu[eé]nta|dime|escr[ií]be|otr[oa])\w*\b[^.?!]{0,20}\b(?:chiste|poema|cuento|adivinanza|historia)"
    r"|\b(?:tira|lanza|echa) (?:una?|el|los|dos) (?:dado|moneda)|\bcara o cruz\b|\bn[uú]mero (?:al azar|aleatorio)\b"
    r"|\b(?:genera|crea|dame|inventa|haz)\w*\b[^.?!]{0,20}\bcontraseñ"
    r"|\b(?:raconte|dis|[eé]cris|une autre|encore une)\b[^.?!]{0,20}\b(?:blague|po[eè]me|histoire|devinette)"
    r"|\blance[rz]? (?:une?|les|deux) (?:d[eé]s?|pi[eè]ce)\b|\bpile ou face\b|\bnombre (?:au hasard|al[eé]atoire)\b"
    r"|\b(?:g[eé]n[eè]re|cr[eé]e|donne|propose|invente)\w*\b[^.?!]{0,20}\bmots? de passe"
    r"|\b(?:racconta|dimmi|scrivi|un'altra)\w*\b[^.?!]{0,20}\b(?:barzelletta|poesia|storia|indovinello)"
    r"|\blancia (?:un|i|due|una) (?:dad[oi]|moneta)\b|\btesta o croce\b|\b(?:genera|crea|dammi)\b[^.?!]{0,20}\bpassword"
    r"|\b(?:cont[ae]|diga|outra|escrev[ae])\b[^.?!]{0,20}\b(?:piada|poema|hist[oó]ria)|\bcara ou coroa\b"
    r"|\b(?:jog|lan[cç]|rol)\w+ (?:um|o|os|dois|uma) (?:dado|moeda)|\b(?:gere?|gera|crie|cria)\b[^.?!]{0,20}\bsenha"
    r"|\bvertel\b[^.?!]{0,20}\b(?:mop|grap|verhaal)|\bgooi (?:een|de) (?:dobbelsteen|munt)\b|\bkop of munt\b"
    r"|\b(?:расскажи|придумай|сочини|напиши|ещ[её]|друг(?:ой|ую))\w*\b[^.?!]{0,20}\b(?:анекдот|шутк|стих|сказк|загадк)"
    r"|\b(?:брось|подбрось|кинь)\b|\bили решка\b|\bслучайное число\b"  # noqa: RUF001  it is Russian
    r"|\b(?:придумай|сгенерируй|создай)\w*\b[^.?!]{0,20}\bпароль"  # noqa: RUF001
    r"|[讲講说說写寫编編来來再][^。?]{0,6}(?:笑话|笑話|故事|诗|詩|谜语|謎語)|[掷擲扔投抛拋][^。?]{0,4}(?:骰子|硬币|硬幣)"
    r"|(?:生成|创建|創建|给我|給我|来|來)[^。?]{0,6}(?:密码|密碼|口令)|随机[选挑给]|隨機[選挑給]"
    r"|(?:ジョーク|冗談|なぞなぞ|詩|物語|俳句|話)[をが]?[^。]{0,6}(?:言って|教えて|書いて|作って|聞かせて|話して)"
    r"|サイコロを?(?:振|ころ)|コインを?投げ|パスワードを[^。]{0,4}(?:作って|生成して|考えて)"
    r"|(?:농담|수수께끼|이야기)\S*\s*(?:하나\s*)?(?:해|들려|말해|써|지어)|주사위\S*\s*(?:굴|던)|동전\S*\s*던"
    r"|비밀번호\S*\s*(?:만들어|생성해)",
    _I,
)
_ASKS_HOW_ELSEWHERE = re.compile(
    r"\b(?:wie|was (?:ist|sind|heißt)|warum|c[oó]mo|qu[eé] (?:es|son)|por qu[eé]|comment|pourquoi|qu'est-ce"
    r"|come (?:si|posso|faccio)|perch[eé]|hoe|waarom|как|почему|что такое)\b"
    r"|如何|怎[么麼样樣]|什[么麼]是|どうやって|どうすれば|とは|어떻게",
    _I,
)
_RANDOM_WORDS = re.compile(r"\brandom (?:\w+ )?(?:facts?|jokes?|quotes?|thoughts?|trivia|topics?|recipes?)\b", _I)
_STAYS_RIGHT = re.compile(  # code that makes something random, and what can be computed about chance
    r"\b(?:python|javascript|java|typescript|bash|zsh|sql|numpy|pandas|pytorch|postgres\w*|mysql|sqlite|linux|powershell"
    r"|kotlin|c#|c\+\+|probability|chances?|odds|expected|likely|simulate)(?!\w)"
    rf"|\b(?:in|with|using) (?:excel|rust|go|ruby|php|c|swift|r|perl|matlab|julia|scala)\b|\b{_TOOL}\b",
    _I,
)
_ASKS_ABOUT = re.compile(  # a question about such things, not for one
    r"(?:(?:please|hi|hey|so|and|ok|okay),? )*(?:how (?:do|does|did|can|could|would|should|to|is|are|many|much|long)"
    r"|why|what(?:'s| is| are| was| were| does| do| did| makes)|explain|define|who|whose|when|where|which|is|are"
    r"|does|did|(?:the )?difference|summari[sz]e|translate|analy[sz]e)\b",
    _I,
)


def is_open_ended(text: str) -> bool:
    """Say whether a text asks for something random or made up, so that its last answer is not wanted again.

    How something is written or drawn at random, in words or by a program, is not open-ended.
    """
    plain = _ASIDE.sub(" ", straighten_quotes(text)).strip()
    stays_right = _STAYS_RIGHT.search(plain) is not None
    if _ONE_MORE_AT_END.search(plain) or (_ADVICE.search(plain) and not stays_right):
        return True
    if _ELSEWHERE.search(plain) and not _ASKS_HOW_ELSEWHERE.search(plain) and not stays_right:
        return True
    if _ASKS_ABOUT.match(plain):
        return False
    if _RANDOM_WORDS.search(plain) or _CREATIVE.search(plain) or _GIVEN_RANDOM.match(plain):
        return True
    if stays_right:
        return False
    is_named = _SHORT.match(plain) is not None and not _KEY_ALONE.match(plain)
    return is_named or _RANDOM.search(plain) is not None or _ONE_MORE.search(plain) is not None
