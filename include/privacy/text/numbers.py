"""Numbers that are somebody's: phones, record numbers, accounts, licences, devices, addresses of machines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from include.privacy.text.dates import find_age, find_birth_year, find_numeric_date
from include.privacy.text.spans import ACCOUNT, DEVICE, FAX, HEALTH_PLAN, ID, IP, LOCATION, PHONE, SSN, VEHICLE, Span
from include.privacy.text.vocabulary import CODE_SYSTEMS, NUMBER_CUES, STATE_CODES

_RUN = re.compile(r"\d(?:[\d().,:/+*#–-]{0,80}\d)?(?:\)?[ \t]{1,2}[(+]?\d(?:[\d().,:/–-]{0,30}\d)?){0,8}")
_GLUED_LEAD = re.compile(r"#?\b[A-Za-z]{1,8}(?:[-_/][A-Za-z]{1,4}){0,2}[-_/]?$")
_TRAIL = re.compile(r"(?:[-_]?[A-Za-z0-9]{1,48}+)(?:[-_][A-Za-z0-9]{1,12}+){0,3}+")
_NANP = re.compile(
    r"(?<![\d.])(?:(?:\+|00)?1[-. ]{0,2})?(?:\(\d{3}\)\s{0,2}[-.]?|\d{3}\s?[-./ –]\s?)\d{3}\s?[-. –]\s?\d{4}(?!\d)(?:,?\s?(?:x|ext\.?|extension)\s?\d{1,6})?",
    re.IGNORECASE,
)
_INTERNATIONAL = re.compile(
    r"(?:(?<!\d)\+|(?<![\w#-])(?:00|011[-. ]?))\d{1,3}(?:[-. ]?\(?\d{1,5}\)?){2,6}(?!\d)(?:\s?(?:x|ext\.?)\s?\d{1,6})?"
)
_LOCAL = re.compile(r"(?<![\d-])\d{3}[-.]\d{4}(?![\d-])")
_SSN = re.compile(
    r"(?<![\d-])\d{3}([- .–])\d{2}\1\d{4}(?![\d-])|(?<![\w-])(?:xxx|\*{3})-(?:xx|\*{2})-\d{4}", re.IGNORECASE
)
_IP = re.compile(r"(?<![\d.])(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}(?![\d.]*\d)")
_IPV6 = re.compile(r"(?<![\w:])(?:[0-9A-Fa-f]{1,4}:){3,7}:?[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,3}(?![\w:])")
_MAC = re.compile(r"(?<![\w:-])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?![\w:-])")
_UUID = re.compile(r"\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b")
_IBAN = re.compile(r"\b[A-Za-z]{2}\d{2}\s?[A-Za-z0-9]{4}(?:\s?[A-Za-z0-9]{4}){2,6}(?:\s?[A-Za-z0-9]{1,3})?\b")
_VIN = re.compile(r"\b(?=[A-HJ-NPR-Z0-9]*\d)(?=[A-HJ-NPR-Z0-9]*[A-Z])[A-HJ-NPR-Z0-9]{17}\b")
_MBI = re.compile(
    r"\b[1-9][A-Za-z][A-Za-z0-9]\d-?[A-Za-z][A-Za-z0-9]\d-?[A-Za-z]{2}\d{2}\b"
)  # Medicare Beneficiary Identifier, CMS 2018
_GEO = re.compile(r"(?<![\d.])-?\d{1,3}\.\d{4,}\s?°?\s?[NS]?,\s?-?\d{1,3}\.\d{4,}\s?°?\s?[EW]?")

_BETWEEN = r"[^A-Za-z0-9\n]{0,3}(?:(?:number|numbers|no|num|nbr|nr|#|id|is|was|are|of|at|or|by|on|the|code|ending|ends|in|card|his|her|their|my|a|me|him|them|us|directly|beneficiary|plan|member)\b[^A-Za-z0-9\n]{0,3}|[#:=(]\s?){0,5}$"
_CUE = re.compile(
    "(?:" + "|".join(rf"(?P<{label}>{pattern})" for label, pattern in NUMBER_CUES) + rf")s?(?![A-Za-z]){_BETWEEN}",
    re.IGNORECASE,
)
_CODE_CUE = re.compile(
    rf"\b{CODE_SYSTEMS}\b[^A-Za-z0-9]{{0,3}}(?:code[sd]?|concept|id|no|number|is|as|#|:|\s){{0,3}}[^A-Za-z0-9]{{0,3}}$",
    re.IGNORECASE,
)
_QUANTITY_AFTER = re.compile(
    r"\s?(?:%|°|mg|mcg|µg|ug|ng|pg|g\b|gm|grams?|kg|lbs?|pounds?|oz|ml|cc\b|l\b|liters?|dl|mmol|meq|miu|iu\b|units?|cells?|/\s?(?:mm|cmm|hpf|lpf|ul|µl|ml|dl|l\b|cu)|x\s?10|k\b|mm\b|cm\b|m\b|inch|feet|ft\b|bpm|mmhg|hz|khz"
    r"|mhz|kcal|calories|cal\b|cfu|copies|wbc|rbc|platelets|leukocytes|dollars|hours?|minutes?|mins?|seconds?|days?|weeks?|months?|years?|yrs?|times|people|patients|women|men|persons|cases)",
    re.IGNORECASE,
)
_YEARS = re.compile(r"(?:1[89]|20)\d{2}\s?[-–/]\s?(?:(?:1[89]|20)?\d{2})")
_GASES = re.compile(r"[67]\.\d{1,2}/\d{2,3}/\d")  # pH/pCO2/pO2 of a blood gas
_MONEY = re.compile(r"[$€£]\s?$")
_STATE_ZIP = re.compile(r"\b([A-Z]{2}|[A-Z][a-z]+),?\s{1,3}$")
_LONGEST_CUE = 46


def find_numbers(text: str, today: date) -> Iterator[Span]:
    """Every number that no measurement explains, of the class that the words before it say."""
    told = 0
    for found in _RUN.finditer(text):
        start, end = found.span()
        if start < told:
            continue  # inside a number with letters that was told whole
        if end - start <= 3 and text[start:end].isdigit():
            age = find_age(text, start, end)
            if age:
                yield age
            if not _is_glued(text, start, end):
                continue
        for span in _in_run(text, start, end, today):
            told = max(told, span.end)
            yield span
    if text.count(":") > 4:
        yield from (Span(*each.span(), IP, 8) for each in _IPV6.finditer(text) if any(map(str.isalpha, each[0])))
        yield from (Span(*each.span(), DEVICE, 8) for each in _MAC.finditer(text))


def _is_glued(text: str, start: int, end: int) -> bool:
    """Does a hyphen or a letter tie more to the number?"""
    return (start > 0 and (text[start - 1] in "-_#" or text[start - 1].isalpha())) or (
        end < len(text) and text[end].isalpha()
    )


def _in_run(text: str, start: int, end: int, today: date) -> Iterator[Span]:
    dates = list(find_numeric_date(text, start, end))
    yield from dates
    taken = [(span.start, span.end) for span in dates]
    for pattern, label in ((_IP, IP), (_GEO, LOCATION), (_UUID, ID)):
        around = max(0, start - (9 if pattern is _UUID else 1))
        for found in pattern.finditer(text, around, min(len(text), end + 40)):
            if _is_free(found.span(), taken) and found.start() < end:
                taken.append(found.span())
                yield Span(*found.span(), label, 8)
    for pattern, label in ((_SSN, SSN), (_NANP, PHONE), (_INTERNATIONAL, PHONE), (_LOCAL, PHONE)):
        for found in pattern.finditer(text, max(0, start - 2), min(len(text), end + 20)):
            if pattern is _INTERNATIONAL and sum(map(str.isdigit, found[0])) < _SHORTEST_INTERNATIONAL:
                continue
            if found.start() < end and _is_free(found.span(), taken) and not _explains(text, found):
                said = _cue(text, found.start())
                begin, stop = (
                    _widen(text, found.start(), found.end()) if said not in (None, PHONE, FAX) else found.span()
                )
                stop -= _closes_from_outside(text[begin:stop])
                if pattern is _NANP and _COUNTRY_BEFORE.fullmatch(text, start, begin):
                    begin = start
                taken.append((begin, stop))
                yield Span(begin, stop, said or label, 8)
    place = start
    for first, last in [*sorted(taken), (end, end)]:
        if first > place:
            yield from _plain(text, place, min(first, end), today)
        place = max(place, last)


_COUNTRY_BEFORE = re.compile(r"\d{1,3}[ .-]")  # 31 206 555 0142: its run begins with the code of a country or region
_SHORTEST_INTERNATIONAL = 8  # digits


def _explains(text: str, found: re.Match) -> bool:
    """A range of years is no phone number, nor is what a code system or a unit stands beside."""
    return bool(_YEARS.fullmatch(found[0].strip()) or _CODE_CUE.search(text, max(0, found.start() - 24), found.start()))


def _is_free(span: tuple[int, int], taken: list[tuple[int, int]]) -> bool:
    return all(span[1] <= start or span[0] >= end for start, end in taken)


_PIECE = re.compile(r"\d[\d–-]*(?:[/.]\d+)*")
_SPACED = re.compile(r"[(+]?\d{1,6}\)?(?:[ /.–-]{1,2}\(?\d{1,8}\)?){1,6}")


def _plain(text: str, start: int, end: int, today: date) -> Iterator[Span]:
    """Numbers without a telling shape: by what stands before them, or by their length."""
    spaced = _SPACED.search(text, max(0, start - 1), end)
    if spaced and 6 <= (digits := sum(map(str.isdigit, spaced[0]))) <= 19 and " " in spaced[0].strip():
        said = _cue(text, spaced.start())
        first, last = spaced.span()
        last -= _closes_from_outside(spaced[0])
        if said:
            yield Span(first, last, said, 7)
            return
        if digits > 12 and _is_card(spaced[0]):
            yield Span(first, last, ACCOUNT, 5)
            return
        if _is_phone_like(spaced[0]) and not _QUANTITY_AFTER.match(text, spaced.end()):
            yield Span(first, last, PHONE, 4)
            return
    for piece in _PIECE.finditer(text, start, end):
        span = _one(text, piece.start(), piece.end(), today)
        if span:
            yield span


def _closes_from_outside(found: str) -> bool:
    """Does a bracket close here that opened before the number?"""
    return found.endswith(")") and "(" not in found


def _is_card(spaced: str) -> bool:
    """Groups of digits whose check digit (ISO/IEC 7812, Luhn) is right."""
    digits = [int(sign) for sign in spaced if sign.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_phone_like(spaced: str) -> bool:
    """Groups of digits as phone numbers of many countries are written; decimals and fractions are measurements."""
    groups = re.findall(r"\d+", spaced)
    digits = sum(map(len, groups))
    if "." in spaced or "/" in spaced or not 7 <= digits <= 13 or _YEARS.search(spaced):
        return False
    return (
        "(" in spaced
        or (max(map(len, groups)) >= 4 and digits >= 7)
        or (3 <= len(groups) <= 5 and min(map(len, groups)) >= 2)
    )


def _one(text: str, start: int, end: int, today: date) -> Span | None:
    while end > start and not text[end - 1].isdigit():
        end -= 1
    born = find_birth_year(text, start, end, today)
    if born:
        return born
    begin, stop = _widen(text, start, end)
    whole = text[begin:stop]
    digits = sum(map(str.isdigit, whole))
    if digits < 3 or (
        digits < 4 and begin == start and stop == end and _cue(text, begin) in (None, PHONE, DEVICE, VEHICLE, ACCOUNT)
    ):
        return None
    if _QUANTITY_AFTER.match(text, stop) or _MONEY.search(text, max(0, start - 2), start):
        return None
    if _YEARS.fullmatch(whole) or _CODE_CUE.search(text, max(0, begin - 24), begin):
        return None
    if (("." in whole or "/" in whole) and digits < 7) or _GASES.match(whole):
        return None
    said = _cue(text, begin)
    has_letters = any(map(str.isalpha, whole))
    if (
        said
        and (digits >= 4 or has_letters)
        and not (digits == 4 and not has_letters and re.fullmatch(r"(?:19|20)\d\d", whole))
    ):
        return Span(begin, stop, said, 8)
    if has_letters:
        return Span(begin, stop, ID, 5) if digits >= 5 or (digits == 4 and text[begin] == "#") else None
    if digits == 5 and (place := _STATE_ZIP.search(text, max(0, start - 24), start)) and (place[1] in STATE_CODES):
        return Span(start, end, LOCATION, 7)
    if digits >= 7:
        return Span(begin, stop, _class_of_length(whole), 5)
    if text[begin] == "#" and digits >= 4:
        return Span(begin, stop, ID, 5)
    return None


def _class_of_length(whole: str) -> str:
    """A long number that nothing names: a card by its check digit, otherwise some id."""
    digits = [int(sign) for sign in whole if sign.isdigit()]
    if 12 <= len(digits) <= 19:
        return ACCOUNT
    return PHONE if len(digits) == 10 and digits[0] > 1 and whole.isdigit() and digits[3] > 1 else ID


def _widen(text: str, start: int, end: int) -> tuple[int, int]:
    """Letters that hyphens or nothing tie to the number: KP-234567, 12345-EMH, #SG-920311."""
    lead = _GLUED_LEAD.search(text, max(0, start - 20), start)
    is_whole = lead and (lead.start() == 0 or text[lead.start()] == "#" or not text[lead.start() - 1].isalnum())
    begin = lead.start() if is_whole else start
    if begin > 0 and text[begin - 1] == "#":
        begin -= 1
    if end < len(text) and (text[end].isalpha() or (text[end] in "-_" and text[end + 1 : end + 2].isalnum())):
        trail = _TRAIL.match(text, end)
        if (
            trail
            and (begin != start or not _QUANTITY_AFTER.match(text, end))
            and (text[end] in "-_" or trail.end() - end > 1 or begin != start or end - start > 3)
        ):
            end = trail.end()
    return begin, end


def _cue(text: str, start: int) -> str | None:
    """The class that the words before a number give it."""
    found = _CUE.search(text, max(0, start - _LONGEST_CUE), start)
    return found.lastgroup if found else None


_APART = re.compile(r" [-–] \d{3} [-–] \d{4}(?!\d)")
_THREE = re.compile(r"(?<![\d-])\d{3}$")
_MASKED = re.compile(r"(?<![\w*])\*{3}-\*{2}-\d{4}(?!\d)")
_PLATE = re.compile(
    r"\b(?i:plates?|tag)\b(?: (?i:no|number|is|#)(?![a-z]))?[\s#:.]{1,3}((?:[A-Z]{2}[ :-]{1,2})?(?=[A-Z -]*\d)[A-Z0-9]{2,4}[ -]?[A-Z0-9]{2,5})\b"
)
_UDI = re.compile(r"\(01\)\d{14}(?:\(\d{2}\)[A-Za-z0-9-]{1,20}){0,5}")  # GS1 form of FDA's unique device identifier
_DONATION = re.compile(r"\b[A-Z]\d{4} ?\d{2} ?\d{6}\b")  # ISBT 128 donation identification number
_USER = re.compile(
    r"\b(?:user(?: ?name| ?id)?|login|logon)\s?[:=]?\s(?=[\w.-]*\d)(?=[\w.-]*[a-z])([\w.-]{4,30}\w)", re.IGNORECASE
)
_TYPIST = re.compile(
    r"^[A-Z]{2,4}[:/] ?[a-z]{2,12}\d{0,3}$|^[A-Z]{2,4}/[A-Z]{2,4}$", re.MULTILINE
)  # XGT:holmes below a signature
_USER_FOLDER = re.compile(r"(?:\\Users\\|/home/|/Users/)([\w.-]{2,40})")
_ACCESSION = re.compile(r":[A-Z]{1,3}\d{4,8}[A-Z]?\b")
_YEAR_OR_DAY = re.compile(r"(?<!\w)\d{2,4}$")


def _led_by(lead: re.Pattern, rest: re.Pattern, text: str, label: str) -> Iterator[Span]:
    """What begins with digits before a rare sign: the sign is looked for first, because digits are everywhere."""
    for found in rest.finditer(text):
        before = lead.search(text, max(0, found.start() - 6), found.start())
        if before:
            yield Span(before.start(), found.end(), label, 8)


def find_coded(text: str) -> Iterator[Span]:
    """Numbers with letters inside: bank accounts, vehicles, laboratories' accession numbers."""
    if ":" in text:
        yield from _led_by(_YEAR_OR_DAY, _ACCESSION, text, ID)
    if " - " in text or " – " in text:
        yield from _led_by(_THREE, _APART, text, PHONE)
    if "**-" in text:
        yield from (Span(*each.span(), SSN, 8) for each in _MASKED.finditer(text))
    if any(word in text for word in ("plate", "Plate", "PLATE", " tag ", " tag:", "Tag")):
        yield from (Span(*each.span(1), VEHICLE, 8) for each in _PLATE.finditer(text))
    if "M.D." in text or "MD" in text or "D.O." in text:
        yield from (Span(*each.span(), ID, 5) for each in _TYPIST.finditer(text))
    if "\\Users\\" in text or "/home/" in text or "/Users/" in text:
        yield from (Span(*each.span(1), ID, 7) for each in _USER_FOLDER.finditer(text))
    if "(01)" in text:
        yield from (Span(*each.span(), DEVICE, 9) for each in _UDI.finditer(text))
    if "transfus" in text or "blood unit" in text or "onor" in text or "onation" in text:
        yield from (Span(*each.span(), ID, 8) for each in _DONATION.finditer(text))
    if "user" in text or "User" in text or "USER" in text or "ogin" in text or "ogon" in text:
        yield from (Span(*each.span(1), ID, 6) for each in _USER.finditer(text))
    yield from (Span(*each.span(), ACCOUNT, 9) for each in _IBAN.finditer(text) if sum(map(str.isdigit, each[0])) >= 8)
    yield from (Span(*each.span(), HEALTH_PLAN, 9) for each in _MBI.finditer(text))
    yield from (Span(*each.span(), VEHICLE, 9) for each in _VIN.finditer(text))
