"""Words of English text, split as spaCy's rules for English split them.

The quality rules were published with counts of such words: punctuation marks, clitics ("do", "n't")
and parts of compounds are words of their own. What this imitates is spaCy's blank English pipeline
(MIT licence, https://spacy.io/usage/linguistic-features#how-tokenizer-works): marks are taken off
both ends until an exception or nothing is left, then the rest is split inside. The tests and the
bench hold the two side by side.
"""

import re
import sys
import unicodedata
from functools import cache
from itertools import product

LONGEST = 300  # characters of a piece that is split; a longer one is one word, so time stays linear
QUOTES = (
    "'\"\u201d\u201c`\u2018\u00b4\u2019\u201a,\u201e\u00bb\u00ab\u300c\u300d\u300e\u300f\uff08\uff09"
    "\u3014\u3015\u3010\u3011\u300a\u300b\u3008\u3009\u27e6\u27e7"
)
MARKS = (
    "\u2026,:;!?\u00bf\u061f\u00a1()[]{}<>_#*&\u3002\uff1f\uff01\uff0c\u3001\uff1b\uff1a\uff5e\u00b7"
    "\u0964\u060c\u06d4\u061b\u066a"
)
CURRENCIES = "$\u00a3\u20ac\u00a5\u0e3f\u20bd\ufdfc\u20b4" + "".join(
    map(chr, range(0x20A0, 0x20C0))
)


def _each(words: str) -> list[str]:
    return words.split()


UNITS = _each(
    "km km\u00b2 km\u00b3 m m\u00b2 m\u00b3 dm dm\u00b2 dm\u00b3 cm cm\u00b2 cm\u00b3 mm mm\u00b2"
    " mm\u00b3 ha \u00b5m nm yd in ft kg g mg \u00b5g t lb oz m/s km/h kmh mph hPa Pa mbar mb MB kb"
    " KB gb GB tb TB T G M K %"
)
# a full stop that belongs to the word before it
ABBREVIATIONS = _each(
    "Mt Ak Ala Apr Ariz Ark Aug Calif Colo Conn Dec Del Feb Fla Ga Ia Id Ill Ind Jan Jul Jun Kan"
    " Kans Ky La Mar Mass Mich Minn Miss N.C N.D N.H N.J N.M N.Y Neb Nebr Nev Nov Oct Okla Ore Pa"
    " S.C Sep Sept Tenn Va Wash Wis a.m Adm Bros co Co Corp D.C Dr e.g E.g E.G Gen Gov i.e I.e I.E"
    " Inc Jr Ltd Md Messrs Mo Mont Mr Mrs Ms p.m Ph.D Prof Rep Rev Sen St vs v.s"
)
WHOLE = _each(  # stay in one piece although a mark in them would split them
    "'S 's \u2018S \u2018s and/or w/o 're 'd 'Cause 'cause 'cos 'Cos 'coz 'Coz 'cuz 'Cuz 'bout"
    " ma'am Ma'am o'clock O'clock lovin' Lovin' havin' Havin' doin' Doin' goin' Goin' nothin'"
    " Nothin' nuthin' Nuthin' ol' Ol' somethin' Somethin' 'em 'll 'nuff C++ ' '' \\\") \\t \\n"
    " <space> \u2014"
)
FACES = _each(
    ":) :-) :)) :-)) :))) :-))) (: (-: =) (= :] :-] [: [-: [= =] :o) (o: :} :-} 8) 8-) (-8 ;) ;-)"
    " (; (-; :( :-( :(( :-(( :((( :-((( ): )-: =( >:( :') :'-) :'( :'-( :/ :-/ =/ =| :| :-| ]= =["
    " :1 :P :-P :p :-p :O :-O :o :-o :0 :-0 :() >:o :* :-* :3 :-3 =3 :> :-> :X :-X :x :-x :D :-D ;D"
    " ;-D =D xD XD xDD XDD 8D 8-D ^_^ ^__^ ^___^ >.< >.> <.< ._. ;_; -_- -__- v.v V.V v_v V_V o_o"
    " o_O O_o O_O 0_o o_0 0_0 o.O O.o O.O o.o 0.0 o.0 0.o @_@ <3 <33 <333 </3 (^_^) (-_-) (._.)"
    " (>_<) (*_*)"
)
# nearly all pieces: a word, compound or number, with a few marks about it that make no face
COMMON = re.compile(
    r"""(["(\[\u201c\u2018$])?"""
    r"""([^\W\d_]+(?:['\u2019][^\W\d_]+|(?:-[^\W\d_]+)+)?|[0-9](?:[0-9,.]*[0-9])?(?!\)))"""
    r"""([,;:!?)"\]\u201d\u2026]|(?<=[a-z0-9])\.|(?<=[A-Z][A-Z])\.|(?<=[0-9])%)?"""
    r"""((?<=[,;!?.])["\u201d]|(?<=[)"\u201d])[,.;])?"""
)
CLITICS = {"'s", "'S", "\u2019s", "\u2019S"}
HYPHEN = re.compile("(-)")
MADE_OF_TWO = (
    "y' all|y all|not 've|not ve|Not 've|Not ve|can not|Can not|gon na|Gon na|got ta|Got ta|let 's"
    "|Let 's|c'm on|C'm on|how 'd 'y|How 'd 'y"
)
WHOLE_AFTER_ALL = _each(  # a contraction without its apostrophe that is another word first
    "Ill ill Its its Hell hell Shell shell Shed shed were Were Well well Whore whore"
)


def _contractions() -> list[list[str]]:
    """Pronouns and verbs with what grows onto them, each with and without the apostrophe."""
    who = _each("i you he she it we they")
    asks = _each("who what when where why how there that this these those")
    both = [[word, end] for word in who + asks for end in ("'ll", "'d")]
    both += [[word, *ends] for word in who + asks for ends in (("'ll", "'ve"), ("'d", "'ve"))]
    both += [["i", "'m"], ["i", "'m", "a"]]
    both += [[word, "'ve"] for word in _each("i you we they could might must should would")]
    both += [[word, "'re"] for word in _each("you we they")]
    both += [[word, "'s"] for word in ["he", "she", "it", *asks[:9]]]
    both += [[word, end] for word in [*asks[:7], *asks[9:]] for end in ("'re", "'ve")]
    verbs = _each("ca could do does did had may might must need ought sha should wo would")
    both += [[verb, "n't"] for verb in verbs + _each("ai are is was were have has dare")]
    both += [[verb, "n't", "'ve"] for verb in verbs]
    bare = [[part.replace("'", "") for part in parts] for parts in both]
    every = [[*parts] for parts in both + bare if "".join(parts) not in WHOLE_AFTER_ALL]
    return every + [[parts[0].title(), *parts[1:]] for parts in every
                    if "".join(parts).capitalize() not in WHOLE_AFTER_ALL]  # fmt: skip


@cache
def exceptions() -> dict[str, tuple[str, ...]]:
    """Pieces with a splitting of their own."""
    rows = [
        [f"{one}."] for one in [*ABBREVIATIONS, *"abcdefghijklmnopqrstuvwxyz\u00e4\u00f6\u00fc"]
    ]
    rows += [[one] for one in [*WHOLE, *FACES]]
    rows += [one.split() for one in MADE_OF_TWO.split("|")] + _contractions()
    rows += [[str(hour), end] for hour, end in product(range(1, 13), ("a.m.", "am", "p.m.", "pm"))]
    rows += [["\u00b0", unit, "."] for unit in "cfkCFK"]
    rows += [[part.replace("'", "\u2019") for part in row] for row in rows]
    return {"".join(row): tuple(row) for row in rows}


@cache
def _class_of(kind: str) -> str:
    """A kind of character as the inside of a regular expression's class.

    Scripts without capitals count as lower and as upper case.
    """
    tests = {
        "lower": lambda one: one.isalpha() and not one.isupper(),
        "upper": lambda one: one.isalpha() and not one.islower(),
        "symbol": lambda one: unicodedata.category(one) == "So",
    }
    codes = [*range(0x80, 0x3400), *range(0xA490, 0xABFF), *range(0xFF00, 0x10000)]
    if kind == "symbol":
        codes += range(0x1F000, 0x1FB00)
    found = [code for code in codes if tests[kind](chr(code))]
    # ranges, for single characters beyond the basic plane are searched one by one
    starts = [code for code, before in zip(found, [0, *found], strict=False) if code != before + 1]
    ends = [code for code, after in zip(found, [*found[1:], 0], strict=True) if after != code + 1]
    known = {"lower": "a-z\u3400-\u9fff\uac00-\ud7af", "symbol": ""}
    known["upper"] = known["lower"].replace("a-z", "A-Z")
    ranges = zip(map(chr, starts), map(chr, ends), strict=True)
    return known[kind] + "".join(f"{first}-{last}" for first, last in ranges)


@cache
def _patterns(*, plain: bool) -> tuple[re.Pattern[str], ...]:
    """What is taken off the front, off the end, what splits inside, and a whole web address.

    The `plain` ones serve pieces in ASCII; their short classes take a fifth of the time.
    """
    quotes, marks = re.escape(QUOTES), re.escape(MARKS)
    money = f"US\\$|C\\$|A\\$|[{re.escape(CURRENCIES)}]"
    symbol, lower, upper = (
        ("", "a-z", "A-Z") if plain else map(_class_of, ("symbol", "lower", "upper"))
    )
    letter = r"[^\W\d_]"
    units = "|".join(map(re.escape, UNITS))
    front = rf"[\u00a7%=\u2014\u2013{marks}{quotes}{symbol}]|\+(?![0-9])|\.\.+|{money}"
    end = (
        rf"(?:\u2026\u2026|[{marks}{quotes}{symbol}\u2014\u2013]|['\u2019][sS]"
        rf"|(?<=[0-9])(?:\+|{money}|{units})|(?<=\u00b0[FfCcKk])\."
        rf"|(?<=[0-9{lower}%\u00b2\-+|{marks}{quotes}])\.|(?<=[{upper}][{upper}])\.)\Z"
    )
    inside = (
        rf"\.\.+|[\u2026{symbol}]|(?<=[0-9])[+\-*^](?=[0-9-])"
        rf"|(?<=[{lower}{quotes}])\.(?=[{upper}{quotes}])|(?<={letter}),(?={letter})"
        rf"|(?:(?<={letter})|(?<=[0-9]))(?:-|\u2013|\u2014|--|---|\u2014\u2014|~)(?={letter})"
        rf"|(?:(?<={letter})|(?<=[0-9]))[:<>=/](?={letter})"
    )
    part = "A-Za-z0-9\u00a1-\uffff"
    address = (
        rf"(?:[\w+.-]{{2,}}://)?(?:[^\s@]+@)?(?:(?:[{part}][{part}_-]{{0,62}})?[{part}]\.)+"
        rf"[{lower}]{{2,63}}(?::\d{{2,5}})?(?:[/?#]\S*)?\Z"
    )
    return re.compile(front), re.compile(end), re.compile(inside), re.compile(address)


def split(piece: str) -> tuple[str, ...]:
    """The words of a piece of text without white space."""
    whole = exceptions().get(piece)
    if whole is not None:
        return whole
    if len(piece) > LONGEST or piece.isalpha():
        return (piece,)
    common = COMMON.fullmatch(piece)
    if common is not None:
        lead, word, mark, last = common.groups("")
        parts = _of_common(word, mark)
        if parts:
            ends = (mark, last) if last else (mark,) if mark else ()
            return (lead, *parts, *ends) if lead else parts + ends
    words = _split_inside(piece)
    return words if len(words) == 1 else _joined(words)


def _of_common(word: str, mark: str) -> tuple[str, ...]:
    """The parts of a common piece's word; none where the mark after it may belong to it."""
    known = exceptions()
    whole = known.get(word)
    if whole is not None or word[0] in "0123456789":
        return () if f"{word}{mark}" in known else whole or (word,)
    if word[-2:] in CLITICS:
        return (*known.get(word[:-2], (word[:-2],)), word[-2:])
    parts = tuple(HYPHEN.split(word))
    return () if f"{parts[-1]}{mark}" in known else parts


def _split_inside(piece: str, *, known: bool = True) -> tuple[str, ...]:
    """Marks off both ends, then the splits of what is left."""
    rest, before, after = _peeled(piece, known=known)
    words = before
    if rest:
        found = exceptions().get(rest) if known else None
        if found is not None:
            words += found
        elif "." in rest and _patterns(plain=rest.isascii())[3].match(rest):
            words.append(rest)
        else:
            words += _cut(rest)
    return tuple(words + after[::-1])


def _peeled(piece: str, *, known: bool) -> tuple[str, list[str], list[str]]:
    """What is left of a piece, the marks taken off its front and, outermost first, off its end."""
    special = exceptions() if known else {}
    before: list[str] = []
    after: list[str] = []
    front, end, *_ = _patterns(plain=piece.isascii())
    while piece and piece not in special:
        found = front.match(piece)
        lead = found.end() if found else 0
        if lead and piece[lead:] in special:
            before.append(piece[:lead])
            piece = piece[lead:]
            break
        tail = _tail(piece, lead, end)
        if tail and piece[:-tail] in special:
            after.append(piece[-tail:])
            piece = piece[:-tail]
            break
        if not lead and not tail:
            break
        if lead:
            before.append(piece[:lead])
        if tail and lead + tail <= len(piece):
            after.append(piece[-tail:])
            piece = piece[lead:-tail]
        else:
            piece = piece[lead:]
    return piece, before, after


def _tail(piece: str, start: int, end: re.Pattern[str]) -> int:
    """The length of the mark that ends a piece from `start` on."""
    if piece.endswith(".."):
        return len(piece) - max(len(piece.rstrip(".")), start)
    # as many characters as the longest mark and what it looks back at
    at = max(start, len(piece) - 12)
    found = end.search(piece[at:])
    return found.end() - found.start() if found else 0


def _cut(rest: str) -> list[str]:
    """Compounds and other pieces split at what stands inside."""
    words: list[str] = []
    start = 0
    for found in _patterns(plain=rest.isascii())[2].finditer(rest):
        if found.start() == 0:
            continue
        if found.start() > start:
            words.append(rest[start : found.start()])
        words.append(found[0])
        start = found.end()
    return [*words, rest[start:]] if start < len(rest) else words


@cache
def _broken_exceptions() -> dict[str, list[tuple[str, ...]]]:
    """Exceptions as they come apart when nobody knows them, longest first, by their first part."""
    table: dict[str, list[tuple[str, ...]]] = {}
    for one in exceptions():
        parts = _split_inside(one, known=False)
        if len(parts) > 1:
            table.setdefault(parts[0], []).append(parts)
    return {first: sorted(rows, key=len, reverse=True) for first, rows in table.items()}


def _joined(words: tuple[str, ...]) -> tuple[str, ...]:
    """Words with the exceptions among them put together again."""
    table = _broken_exceptions()
    out: list[str] = []
    at = 0
    while at < len(words):
        for parts in table.get(words[at], ()):
            if words[at : at + len(parts)] == parts:
                out += exceptions()["".join(parts)]
                at += len(parts)
                break
        else:
            out.append(sys.intern(words[at]))
            at += 1
    return tuple(out)
