"""Dates finer than a year, and ages of ninety and over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from include.privacy.text import lexicon
from include.privacy.text.reading import Note
from include.privacy.text.spans import AGE, DATE, Span
from include.privacy.text.vocabulary import AMBIGUOUS_MONTHS, MONTHS

OLDEST_SHOWN_AGE = 89  # 45 CFR 164.514(b)(2)(i)(C)

_ORDINAL = r"(?:\s?(?:st|nd|rd|th)\b)?"
_TIME = r"(?:,?\s{0,2}(?:at\s|@\s?|T)?\s?\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:\s?[AaPp]\.?[Mm]\b\.?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_YEAR = r"(?:(?:,|\.)?\s{1,2}(?:of\s|in\s)?|,|\s?[-/.]\s?)(?P<year>(?:1[89]|20)\d{2}\b|['’]\d{2}\b)"
_AFTER_MONTH = re.compile(
    rf"\.?\s{{0,2}}[-/ ,]?\s?(?:the\s)?(?P<day>(?:0?[1-9]|[12]\d|3[01])(?!\d|:\d|\.\d)){_ORDINAL}(?:\s?(?:-|–|to|and|&|through|thru|or)\s?(?:[0-3]?\d(?!\d)){_ORDINAL})?"
    rf"(?:{_YEAR}|[-/]\d{{2}}\b)?{_TIME}"
)
_MONTH_YEAR = re.compile(
    rf"\.?(?:{_YEAR}|[-\s]?['’]?\d{{2}}(?=[.,;)\s]|$)(?!\s?(?:%|mg|year|y/?o|pound|week|day|month|hour|minute|patient)))"
)
_DAY_BEFORE = re.compile(
    rf"(?<![\d/.])(?:the\s)?(?:0?[1-9]|[12]\d|3[01]){_ORDINAL}(?:\s?(?:-|–|to|and)\s?[0-3]?\d{_ORDINAL})?(?:\s(?:day\s)?of)?[\s.,/-]{{0,2}}$"
)
_AFTER_DAY_MONTH = re.compile(rf"\.?(?:{_YEAR}|[-/]\d{{2}}\b)?{_TIME}")
_MONTH_CUE = re.compile(
    r"(?:\b(?:in|since|last|of|this|next|until|till|early|late|mid|by|during|through|from|to|and|before|after|around|past|previous|between|for|as of)|mid-)[\s]{1,2}$",
    re.IGNORECASE,
)
_WEEKDAY_BEFORE = re.compile(
    r"\b(?:mon|tues?|wednes|wed|thu(?:rs?)?|fri|satur|sat|sun)(?:day)?\.?,?\s{1,2}(?:the\s)?$", re.IGNORECASE
)

_D, _M = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
NUMERIC = re.compile(
    rf"(?P<iso>(?:1[89]|20)\d{{2}}(?P<s>[-/.]){_M}(?P=s){_D}(?!\d){_TIME})"
    rf"|(?P<dmy>(?:{_M}(?P<t>[-/.]){_D}|{_D}(?P<u>[-/.]){_M})(?:(?P=t)|(?P=u)|\s?/\s?)(?P<y>(?:1[89]|20)\d{{2}}|\d{{2}})(?!\d|[./]\d|-\d(?!\d?[./-]\d{{1,2}}[./-]\d)){_TIME})"
    rf"|(?P<spaced>{_M}\s?/\s?{_D}\s?/\s?(?:(?:1[89]|20)\d{{2}}|\d{{2}})(?!\d))"
    rf"|(?P<my>{_M}[/-](?:19|20)\d{{2}}(?![\d/-]))"
    rf"|(?P<ym>(?:19|20)\d{{2}}[/-]{_M}(?![\d/-]))"
    rf"|(?P<md>{_M}/{_D}(?![\d/]|\.\d|-\d))"
    rf"|(?P<packed>(?:19|20)\d{{2}}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[0-2]\d[0-5]\d(?:[0-5]\d)?)?(?!\d))"
)  # fmt: skip
_DATE_CUE = re.compile(
    r"(?:\b(?:on|since|from|until|till|by|dated?|dob|d\.o\.b\.?|born|birth|as of|through|thru|between|after|before|around|last|lmp|edc|edd|(?:re)?admit(?:ted)?|(?:re)?admission|discharged?|seen|visit|beginning|starting|started|"
    r"ending|effective|expires?|due|scheduled|due date|rtw|rtc|appt|collected|received|performed|signed|dictated|d|t|dd|dt|adm|dis|dos|doi|date of \w+)\b[\s:.,=(-]{0,4}(?:the\s)?|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}(?:,|,? and|,? or| &| to| through)\s|[-–]\s?)$",
    re.IGNORECASE,
)
_NO_DATE_AFTER = re.compile(
    r"\s?(?:%|mm|cm|mg|mcg|ml|kg|lb|strength|in (?:the )?(?:upper|lower|all)|systolic|diastolic|murmur|pain|out of|for pain|bilateral|throughout|/)",
    re.IGNORECASE,
)
_AGE = re.compile(
    r"(?P<a>\d{1,3})(?:\s?(?:-|–)?\s?(?:years?|yrs?|y)(?:\s|-|–)?(?:old|of age|o\b|/o\b|\.o\.?)|\s?(?:yo|y\.o|y/o|yr)\b|[-\s]?(?:[MF]|male|female|man|woman)\b|[-\s]year[-\s]olds?\b|\s(?:years?|yrs?)\b)",
    re.IGNORECASE,
)
_AGE_CUE = re.compile(
    r"\b(?:age[ds]?(?:\sof|\sis|\sat)?|turn(?:ed|s|ing)|lived\sto(?:\sbe)?|died\sat(?:\sage)?|at\sthe\sage\sof)\s?[:=]?\s?$"
    r"|\b(?:he|she|wife|husband|mother|father|sister|brother|aunt|uncle|grandmother|grandfather|patient|pt)(?:\sis|\swas|['’]s|,)(?:\snow)?\s$",
    re.IGNORECASE,
)
_NINETY = re.compile(
    r"ninet(?:y|ies)(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?(?:[- ]years?(?:[- ]old| of age)?)?|(?:one |a )?hundred(?: and \w+)?[- ]years?[- ]old",
    re.IGNORECASE,
)
_WORDED_AGE = re.compile(
    r"\b(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?(?=[- ]years?[- ]old|[- ]years? of age)",
    re.IGNORECASE,
)
_AGE_BEFORE = re.compile(r"\b(?:aged?(?: of)?|(?:his|her|their) (?:mid |early |late |mid-)?) ?$", re.IGNORECASE)
_YEAR_ALONE = re.compile(r"(?:1[89]|20)\d{2}")
_BORN = re.compile(
    r"\b(?:born|birth|dob|d\.o\.b\.?|birthdate|b\.)\W{0,3}(?:in|year|of|is|on|:)?\W{0,3}$", re.IGNORECASE
)


def find_dates(note: Note) -> Iterator[Span]:
    """Dates written with the name of a month."""
    text = note.text
    for index in note.marked:
        kind = note.kinds[index]
        if kind & lexicon.MONTH:
            span = _about_month(note, index)
            if span:
                yield _with_weekday(text, span)
        elif note.words[index][:5].lower() in ("ninet", "hundr"):
            found = _NINETY.match(text, note.starts[index])
            if found and re.search(r"y(?:ear|\.?o)|-old", text[found.start() : found.end() + 12]):
                yield Span(*found.span(), AGE, 6)
    if "inet" in text or "INET" in text or "undred" in text:
        for found in _NINETY.finditer(text):
            if re.search(r"year|-old|\by\.?/?o\b", text[found.start() : found.end() + 12], re.IGNORECASE) or (
                _AGE_BEFORE.search(text, max(0, found.start() - 12), found.start())
            ):
                yield Span(*found.span(), AGE, 6)


def _about_month(note: Note, index: int) -> Span | None:
    text, start, end, word = note.text, note.starts[index], note.ends[index], note.words[index].lower()
    after = _AFTER_MONTH.match(text, end)
    before = _DAY_BEFORE.search(text, max(0, start - 24), start)
    is_plain = word not in AMBIGUOUS_MONTHS
    is_capital = note.kinds[index] & lexicon.CAP
    if before and (is_plain or is_capital or word != "may"):
        rest = _AFTER_DAY_MONTH.match(text, end)
        return Span(before.start(), rest.end() if rest else end, DATE, 8)
    is_told = _IS_DAY.match(text, end) or _DAY_CUE.search(text, max(0, start - 12), start)
    if after and (is_capital or is_plain or after["year"] or is_told or word not in ("may", "mar", "march", "sun")):
        return Span(start, after.end(), DATE, 8)
    following = _MONTH_YEAR.match(text, end)
    if following and (is_capital or is_plain):
        return Span(start, following.end(), DATE, 8)
    if is_plain or (is_capital and word in MONTHS and _MONTH_CUE.search(text, max(0, start - 12), start)):
        return Span(start, end, DATE, 6)
    return None


_IS_DAY = re.compile(r"\s\d{1,2}(?:st|nd|rd|th)\b")
_DAY_CUE = re.compile(r"\b(?:on|until|till|since|by|from|before|after|through|dated)\s$", re.IGNORECASE)


_YEAR_BEFORE = re.compile(r"(?<![\d./-])(?:19|20)\d{2}(?:[-/]|,?\s)$")


def _with_weekday(text: str, span: Span) -> Span:
    before = _WEEKDAY_BEFORE.search(text, max(0, span.start - 16), span.start)
    if before is None and not text[span.start].isdigit():
        before = _YEAR_BEFORE.search(text, max(0, span.start - 7), span.start)  # 1987 Sep 11
    return span._replace(start=before.start()) if before else span


def find_numeric_date(text: str, start: int, end: int) -> Iterator[Span]:
    """Dates in digits inside a run of digits and separators."""
    place, told = start, -1
    while (found := NUMERIC.search(text, place, min(len(text), end + 14))) and found.start() < end:
        place = found.end()
        before = text[found.start() - 1] if found.start() else " "
        is_range_end = before == "-" and found.start() - 1 == told
        if before.isalnum() or (before in "./-" and found.start() - 1 >= start and not is_range_end):
            continue
        if found["md"] and not _is_day(text, found):
            continue
        if found["packed"] and (
            _is_inside_identifier(text, found) or not _DATE_CUE.search(text, max(0, found.start() - 30), found.start())
        ):
            continue
        if (found["my"] or found["ym"]) and "-" in found[0] and found["ym"]:
            continue
        if (
            found["dmy"]
            and (found["t"] or found["u"]) == "."
            and len(found["y"]) == 2
            and not _DATE_CUE.search(text, max(0, found.start() - 30), found.start())
        ):
            continue  # a version or a section
        told = found.end()
        yield _with_weekday(text, Span(*found.span(), DATE, 8))


_TIED_BEFORE = re.compile(r"[A-Za-z0-9][-_]$")
_TIED_AFTER = re.compile(r"[-_][A-Za-z0-9]")


def _is_inside_identifier(text: str, found: re.Match) -> bool:
    """RAD-20210930-567: eight digits that hyphens tie to more are part of a number of somebody's."""
    is_tied = _TIED_BEFORE.search(text, max(0, found.start() - 2), found.start()) and not found[0].startswith("-")
    return bool(is_tied or _TIED_AFTER.match(text, found.end()))


def _is_day(text: str, found: re.Match) -> bool:
    """3/14 is a day only where the words around say so; 5/5 is also a strength and 2/6 a murmur."""
    cue = _DATE_CUE.search(text, max(0, found.start() - 24), found.start())
    is_told = (cue is not None and "-" not in cue[0][-2:]) or _is_told_softly(text, found)
    if not is_told and _FOLLOW_UP.search(text, max(0, found.start() - 64), found.start()):
        is_told = _CLAUSE_ENDS.match(text, found.end()) is not None
    if not is_told:
        is_told = _WEEKDAY_BEFORE.search(text, max(0, found.start() - 16), found.start()) is not None
    if (
        not is_told
        and _OPENS.search(text, max(0, found.start() - 2), found.start())
        and text[found.end() : found.end() + 1] == ")"
    ):
        # A score of so many is in brackets too, but seldom of more than twelve without being called one.
        is_told = int(re.split(r"\D", found[0])[1]) > 12 and not _SCORE.search(
            text, max(0, found.start() - 24), found.start()
        )
    return is_told and not _NO_DATE_AFTER.match(text, found.end())


def _is_told_softly(text: str, found: re.Match) -> bool:
    """'12/1 at 2pm', '11/3 1512', 'tracing of 10/28'; not 'half a tablet at 8 am'."""
    if found[0] in _FRACTIONS:
        return False
    return bool(
        _TIME_BEHIND.match(text, found.end())
        or _CLOCK_BEHIND.match(text, found.end())
        or _STUDY_BEFORE.search(text, max(0, found.start() - 24), found.start())
    )


_FRACTIONS = frozenset(("1/2", "1/3", "2/3", "1/4", "3/4"))
_STUDY_BEFORE = re.compile(
    r"\b(?:tracing|study|exam|scan|films?|ct|mri|labs?|note|echo|ekg|ecg|report|imaging) (?:of|from) $", re.IGNORECASE
)
_OPENS = re.compile(r"\($|, $")
_FOLLOW_UP = re.compile(
    r"\b(?:f/u|follow[- ]?up|return to clinic|rtc|rtw|appt|appointment|(?:seen|admitted|evaluated|treated) (?:at|in|by))\b[^.;\n]{1,48} $",
    re.IGNORECASE,
)
_CLAUSE_ENDS = re.compile(r"\s*(?:[.;,]|$|\n)")
_CLOCK_BEHIND = re.compile(r",? (?:[01]\d|2[0-3])[0-5]\d(?![\d/-]|\.\d| ?(?i:mg|ml|mcg|units|cc|kcal)\b)")
_TIME_BEHIND = re.compile(
    r"\s?(?:@|at)\s?(?:[01]?\d|2[0-3])(?::?[0-5]\d)?\s?(?:[ap]m?\b|h(?:rs?|ours)?\b|(?<=\d\d\d)|(?<=\d\d\d\d))"
)
_SCORE = re.compile(r"\b(?:scores?|scale|index|moca|mmse|epworth|braden|morse|slums|kps|tinetti|berg)\b", re.IGNORECASE)


def find_age(text: str, start: int, end: int) -> Span | None:
    """An age of ninety or over at a run of digits; lower ages stay."""
    if not 2 <= end - start <= 3 or not OLDEST_SHOWN_AGE < int(text[start:end]) < 125:
        return None
    if _AGE.match(text, start) or _AGE_CUE.search(text, max(0, start - 24), start):
        return Span(start, end, AGE, 6)
    return None


def find_ages_and_years(text: str) -> Iterator[Span]:
    """Every age and every year: for a person who is 90 or over now, whose age at any event or year of it would tell it."""
    for found in re.finditer(r"\d{1,3}", text):
        if _AGE.match(text, found.start()) or _AGE_CUE.search(text, max(0, found.start() - 24), found.start()):
            yield Span(*found.span(), AGE, 6)
    yield from (
        Span(*found.span(), DATE, 6) for found in re.finditer(r"(?<![\d.,/-])(?:1[89]|20)\d{2}(?![\d.,/-]*\d)", text)
    )
    yield from (Span(*found.span(), AGE, 6) for found in _WORDED_AGE.finditer(text))


def find_birth_year(text: str, start: int, end: int, today: date) -> Span | None:
    """A year of birth that tells an age over 89; any other year alone stays."""
    if end - start != 4 or not _YEAR_ALONE.fullmatch(text, start, end):
        return None
    if int(text[start:end]) < today.year - OLDEST_SHOWN_AGE and _BORN.search(text, max(0, start - 24), start):
        return Span(start, end, DATE, 7)
    return None
