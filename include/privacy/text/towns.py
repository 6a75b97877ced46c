"""Towns of the list with state and ZIP behind them, and what is named like towns: counties, saints' places, postcodes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from include.privacy.text import lexicon as lex
from include.privacy.text.lexicon import Lexicon
from include.privacy.text.reading import Note
from include.privacy.text.spans import LOCATION, Span
from include.privacy.text.vocabulary import PLACE_NICKNAMES, STATE_CODES, STATE_NAMES

_MOST_WORDS_OF_TOWN = 4
_INSIDE_TOWN = (" ", ". ", "-", "\n")
_STATE_AFTER = re.compile(
    r",?\s{1,2}(?:"
    + "|".join(sorted(STATE_CODES, key=len, reverse=True))
    + r"|"
    + "|".join(sorted(name.title() for name in STATE_NAMES))
    + r"|New (?:York|Jersey|Mexico|Hampshire)|(?:North|South) (?:Carolina|Dakota)|West Virginia|Rhode Island)\b(?!['’]s)"
)
_ZIP_AFTER = re.compile(r",?\s{1,3}\d{5}(?:-\d{4})?\b")
_COUNTRY_CODE = re.compile(r",?\s{1,3}(?!(?:19|20)\d\d\b)\d{4,6}\b(?!\s?(?:mg|ml|units))")
SAINTS = frozenset(("st", "saint", "mt", "mount", "ft", "fort", "santa", "san"))
_TOWN_CUE = re.compile(r"\b(?:in|from|near|to|at|of|outside|around|visiting|downtown|city|town)\s$|(?:^|[,(]\s?)$")
_SCALE_WORDS = ("grade", "criteria", "classification", "scale", "score", "system")
_ROMAN = re.compile(r"I{1,3}[abc]?|I?V[abc]?")
_NO_LONE_TOWN = lex.CLINICAL | lex.UPPER
_WORD_OR_NAME = lex.WORD | lex.CLINICAL | lex.NAMES
_COUNTY = re.compile(
    r"\b(?!(?:The|This|Our|Your|Each|Every|Any|State|City|Same|Other)\b)(?:[A-Z][a-z.'’]+[ -]){1,3}(?:County|Township|Parish)\b"
)
_POSTCODE = re.compile(  # of Britain, then of Canada
    r"\b(?:[A-Z]{1,2}\d[A-Z\d]? \d(?!(?:ST|ND|RD|TH)\b)[ABD-HJLNP-UW-Z]{2}|[A-CEGHJ-NPRSTVXY]\d[A-Z] \d[A-Z]\d)\b"
)
_CODE_SAID = re.compile(
    r"\b(?:zip(?: ?code)?|postal code|post ?code)(?: is| was)?\s?[:#]?\s{1,4}((?=[A-Z]{0,2}\d)[A-Z\d]{2,7}(?:[ -](?=[A-Z\d]*\d|[A-Z]{2}\b)[A-Z\d]{1,4})?)\b",
    re.IGNORECASE,
)
_LAST_WORDS = (" Zealand", " Kingdom", " Africa", " Republic", " Rica", " Lanka", " Arabia", " Korea", " Salvador")
_COUNTRY_OF_TWO_WORDS = re.compile(
    r"\b(?:New Zealand|United Kingdom|South Africa|(?:Czech|Dominican) Republic|Costa Rica|Sri Lanka|Saudi Arabia|(?:South|North) Korea|El Salvador)"
    r",? (?!(?:19|20)\d\d\b)\d{4,6}\b(?! ?(?:mg|ml|units))"
)
_TOWN_BEFORE = re.compile(r"[A-Z][a-zA-Z]+,?\s$")


def find_town(note: Note, lexicon: Lexicon, index: int) -> Span | None:
    """'Baton Rouge', 'Springwood, OH 44903': a town of the list, its longest form first, with state and ZIP."""
    last = _end_of_town(note, lexicon, index)
    if last is None or _is_scale(note, last):
        return None
    state = _state_after(note, index, last)
    if last == index and not state and not _is_sure_town(note, index):
        return None
    end = note.ends[last]
    if state:
        zip_code = _ZIP_AFTER.match(note.text, state.end())
        end = zip_code.end() if zip_code else state.end()
    return Span(note.starts[index], end, LOCATION, 6 if last == index else 7)


def _end_of_town(note: Note, lexicon: Lexicon, index: int) -> int | None:
    """The last word of the longest town that begins here: 'San Diego', 'SAN DIEGO', 'Winston-Salem'."""
    for last in range(_end_of_joined(note, index), index - 1, -1):
        name = " ".join(note.words[index : last + 1])
        if name in lexicon.places:
            return last
        # Other capitals than the list's; a single word needs them throughout, for 'mobile' and 'reading' are no towns.
        if (last > index or name.isupper()) and len(name) > 3 and name.lower() in lexicon.places_folded:
            return last
    return None


def _end_of_joined(note: Note, index: int) -> int:
    """The last of up to four words that stand together."""
    last, end = index, min(index + _MOST_WORDS_OF_TOWN, len(note.words)) - 1
    while last < end and note.gap(last) in _INSIDE_TOWN:
        last += 1
    return last


def _is_scale(note: Note, last: int) -> bool:
    """LA grade B, the Rome IV criteria, Paris classification."""
    if last + 1 >= len(note.words) or note.gap(last) != " ":
        return False
    following = note.words[last + 1]
    return following in _SCALE_WORDS or _ROMAN.fullmatch(following) is not None


def _state_after(note: Note, first: int, last: int) -> re.Match[str] | None:
    """', OH' or ' Ohio'. HOME ON JULY 3: in capitals ON, IN, OR and ME are words, so a comma or a ZIP must speak for them."""
    state = _STATE_AFTER.match(note.text, note.ends[last])
    if state is None or state[0][:1] == "," or not note.text[note.starts[first] : note.ends[last]].isupper():
        return state
    return state if _ZIP_AFTER.match(note.text, state.end()) else None


def _is_sure_town(note: Note, index: int) -> bool:
    """'Duluth', 'NYC'; 'Lincoln' only after 'in' and the like; not 'Georgia'."""
    kind, word = note.kinds[index], note.words[index]
    if kind & (lex.STATE | lex.COUNTRY) and not kind & lex.COMMON:
        return False
    if word in PLACE_NICKNAMES:
        return True
    if not kind & _WORD_OR_NAME:
        return len(word) > 3
    before = note.text[max(0, note.starts[index] - 12) : note.starts[index]]
    follows_word = before[-1:] == " " and before.strip()[-1:].isalpha()
    return follows_word and not kind & _NO_LONE_TOWN and _TOWN_CUE.search(before) is not None


def find_saint(note: Note, index: int) -> Span | None:
    """'St. Barnabas', 'Fort Zorvath': two words, the town or facility of which no list knows."""
    following = index + 1
    if (
        note.words[index].lower() not in SAINTS
        or following >= len(note.words)
        or not note.kinds[following] & lex.CAP
        or note.gap(index) not in (" ", ". ")
    ):
        return None
    end = note.ends[following]
    is_possessive = note.text[end : end + 2] in ("'s", "’s")
    return Span(note.starts[index], end + 2 if is_possessive else end, LOCATION, 6)


def find_code_of_country(note: Note, index: int) -> Span | None:
    """'Norway 0251': a postal code behind a country."""
    code = _COUNTRY_CODE.match(note.text, note.ends[index])
    return Span(note.starts[index], code.end(), LOCATION, 7) if code else None


def find_postcode(note: Note, index: int) -> Span | None:
    """MK9 3BZ, K1A 0B1 after a town; ``index`` is of its second half."""
    start = note.starts[index - 1] if index else note.starts[index]
    found = _POSTCODE.match(note.text, start)
    if found and _TOWN_BEFORE.search(note.text, max(0, start - 24), start):
        return Span(*found.span(), LOCATION, 6)
    return None


def find_said_codes(text: str) -> Iterator[Span]:
    """'zip code is 040', 'Postal code: 394 13', 'New Zealand 6011': whatever form the codes of a land have."""
    if "ip" in text or "ost" in text or "ZIP" in text or "OST" in text:
        yield from (Span(*each.span(1), LOCATION, 8) for each in _CODE_SAID.finditer(text))
    if any(word in text for word in _LAST_WORDS):
        yield from (Span(*each.span(), LOCATION, 6) for each in _COUNTRY_OF_TWO_WORDS.finditer(text))


def find_counties(text: str) -> Iterator[Span]:
    """'Cook County', 'Upper Darby Township'."""
    if "County" in text or "Township" in text or "Parish" in text:
        for found in _COUNTY.finditer(text):
            yield Span(*found.span(), LOCATION, 6)
