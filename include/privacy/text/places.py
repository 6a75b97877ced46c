"""Geography smaller than a state: addresses, towns, ZIP codes, and the facilities of care and work that stand for them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from include.privacy.text import lexicon as lex
from include.privacy.text.lexicon import Lexicon
from include.privacy.text.reading import Note
from include.privacy.text.spans import LOCATION, ORGANIZATION, Span
from include.privacy.text.vocabulary import (
    FACILITIES,
    FUNCTION_WORDS,
    KNOWN_FACILITIES,
    STATE_CODES,
    STATE_NAMES,
    words,
)

_STATE_AFTER = re.compile(
    r",?\s{1,2}(?:"
    + "|".join(sorted(STATE_CODES, key=len, reverse=True))
    + r"|"
    + "|".join(sorted(name.title() for name in STATE_NAMES))
    + r"|New (?:York|Jersey|Mexico|Hampshire)|(?:North|South) (?:Carolina|Dakota)|West Virginia|Rhode Island)\b(?!['’]s)"
)
_ZIP_AFTER = re.compile(r",?\s{1,3}\d{5}(?:-\d{4})?\b")
_UNIT = r"(?:apt|apartment|suite|ste|unit|room|rm|floor|fl|bldg|building|lot|#)\.?\s?#?\s?\d{0,5}[A-Za-z]?\b"
_ADDRESS_GOES_ON = re.compile(
    rf"[ ]?[\s,;]{{1,4}}(?:{_UNIT}|P\.?\s?O\.? Box \d+|(?:[A-ZÀ-Þ\u0100-\u017f][\w'’.-]*)(?![\w:])|\d{{4,6}}(?:-\d{{3,4}})?\b(?!\s?(?:mg|ml|units|am|pm))|\d{{1,5}}(?=[\s,]+[A-Z]))",
    re.IGNORECASE,
)
_HIGHWAY = re.compile(
    r"\b\d{2,6} (?:[NSEW]\.? )?(?:US |State |County |Old )?(?:Hwy|Highway|Route|Rte|Road|County Rd|FM|SR|CR)\.? #?\d{1,4}[A-Z]?\b(?: [NSEW]\b)?"
)
_PO_BOX = re.compile(r"\b(?:P\.?\s?O\.?|post office) ?Box\s?#?\s?\d{1,6}\b", re.IGNORECASE)
_UNIT_ALONE = re.compile(
    r"\b(?:Apt|Apartment|Suite|Ste)\b\.?\s?#?\s?\d{1,5}[A-Za-z]?\b|\b(?:Unit|Room|Rm)\s?[ :#]\s?\d{2,5}(?:-?[A-Za-z])?\b",
    re.IGNORECASE,
)
_NUMBER_BEFORE = re.compile(r"(?<![\d.,/-])#?\d{1,6}(?:-\d{1,5})?[A-Za-z]?(?: ?½| 1/2)?,?\s{1,2}$")
_FOREIGN_STREET = re.compile(
    r"(?:stra(?:ss|ß)e|str|gasse|weg|platz|allee|gatan|vägen|vej|gade|allé|veien|gata|gate|stræti|straeti|vegur|katu|tie|kuja|polku|ranta|laan|straat|dijk|plein|kade|utca|tér|krt|útja)$",
    re.IGNORECASE,
)
_STREET_FIRST = words(
    "rue via calle avenida rua ulica viale piazza camino paseo ul corso largo rambla plaza praça travessa boulevard avenue chemin quai"
)
_SAINT = frozenset(("st", "saint", "mt", "mount", "ft", "fort", "santa", "san"))
_CONNECTED = words("of the and at for & women's children's")
_GENERIC = words(
    "hospital hospitals clinic clinics emergency medical center health care primary urgent intensive outpatient inpatient community local general regional rehabilitation nursing home home's school "
    "surgery surgical department dept unit public mental women children cancer heart eye pain wound sleep dialysis physical therapy family internal medicine behavioral laboratory lab labs trauma "
    "burn imaging radiology diagnostic ambulatory assisted living skilled facility long term acute university college institute high elementary middle church pharmacy jail prison shelter "
    "hospice infirmary acute surgicenter our their his her another outside other same state county city teaching tertiary veterans va military day child adult senior specialty specialist "
    "orthopedic orthopedics cardiology oncology neurology pediatric pediatrics gastroenterology dermatology urology vascular breast stroke diabetes renal transplant fertility infusion research vital "
    "good poor fair excellent overall in for past current level data records record status history national world global federal department behavioral dental oral"
)
_SPECIALTY = re.compile(
    r"(?:olog(?:y|ic|ical)|iatr(?:y|ics?)|surg(?:ery|ical)|cardiac|catheteri[sz]ation|infectious|disease|wellness|endoscop(?:y|ic)|wound|spine|spinal|joint|chest|bone|brain|kidney|liver|lung|gluteal|chiropractic|sports|travel|prenatal|obstetric|maternity|tumor|headache|memory|weight|anticoagulation|coumadin|cath|pulmonary|critical|ambulatory|same-day|radiation|oral|labor|delivery)s?$",
    re.IGNORECASE,
)
_STREETS_SURE = words(
    "street avenue ave boulevard blvd road rd lane ln drive terrace parkway pkwy highway hwy turnpike expressway circle court way place trail loop alley crescent rue straße strasse"
)
_KNOWN = re.compile(
    r"\b(?:"
    + "|".join(sorted(map(re.escape, KNOWN_FACILITIES), key=len, reverse=True))
    + r")\b(?!\s(?:clamp|stand|scissors|retractor|criteria|stitch|suture|classification|rod|rods|sign|test))"
)
_KNOWN_WORDS = frozenset(re.split(r"[ .-]", name)[0] for name in KNOWN_FACILITIES)
# Known facilities that are also names, instruments or words need a word of place before them.
_UNSURE = words(
    "Duke Emory Rush Sharp Jefferson Temple Riley Banner Mercy Atrium Sutter Lahey Ochsner Penn Columbia Cornell Methodist Presbyterian Providence Ascension Mayo Hopkins Brigham Baylor Beaumont Bellevue Langone Tufts Yale UW USC HCA MSK Parkland"
)
_PLACE_BEFORE = re.compile(r"\b(?:at|from|to|in|of|by|near|via|with|visited|the|and|or|,)\s$", re.IGNORECASE)
_AT_BEFORE = re.compile(
    r"\b(?:(?:seen|evaluated|treated|admitted|operated|diagnosed|followed|performed|hospitalized|done|examined|assessed|managed|transferred|referred|discharged|surgery|procedure|visit|appointment|care|check-?up|admission|treatment)\s)?(?:at|@)\s(?:the\s)?$",
    re.IGNORECASE,
)
_SENT_TO = re.compile(
    r"\b(?:transferred (?:to|from)|referred (?:to|from)|discharged (?:to|from)|admitted to|presented to|lives in|residing in|resides in|moved (?:to|from)|visited)\s(?:the\s)?$",
    re.IGNORECASE,
)


_CUE_WORDS = words(
    "address lives live living resides residing located meet sent send drops return arrived residence office offices corner home moved mail ship"
)
_AFTER_CUE = re.compile(
    r"(?:(?: of [\w.& ]{1,40}?)?(?: is| was| to the same| with| here they are| to)?\s?[:=]\s{0,4}|(?: of [\w.& ]{1,40}?)?(?:,? (?:is|are|was|at|on|to|in|you at|me at|you off at|with|of|located at|for me to|this to|it to))+(?: the corner of)?:?\s{1,4})(?=\S)",
    re.IGNORECASE,
)
_UNIT_WORDS = words(
    "apt apartment suite ste unit box floor fl room rm bldg building p o po psc apo fpo dpo str ul u ut utca and of d"
)


def _after_cue(note: Note, index: int) -> Iterator[Span]:
    """'lives at 86036 Rua do Arenque 1634, Goiânia': after such words a stretch of capitals and numbers that holds a number."""
    found = _AFTER_CUE.match(note.text, note.ends[index], min(len(note.text), note.ends[index] + 70))
    if not found:
        return
    first = index + 1
    while first < len(note.words) and note.starts[first] < found.end():
        first += 1
    if first >= len(note.words):
        return
    last, digits = first - 1, 0
    for place in range(first, min(first + 18, len(note.words))):
        kind, word = note.kinds[place], note.words[place]
        gap = note.before(place) if place > first else ""
        if (
            len(gap) > 5
            or "\n\n" in gap
            or (gap.strip() not in ("", ",", "-", ".", "/", ".,", "#", ",,"))
            or (gap[:2] == ". " and last >= first and not _may_go_on(note, place))
        ):
            break
        if not (kind & (lex.CAP | lex.DIGIT | lex.PARTICLE) or word.lower() in _UNIT_WORDS) or (
            word.lower() in FUNCTION_WORDS and word.lower() not in ("and", "of", "in")
        ):
            break
        if note.text[note.ends[place] : note.ends[place] + 1] == ":":
            break
        if kind & (lex.DIGIT | lex.CAP):
            last = place
        digits += bool(kind & lex.DIGIT)
    if (
        last >= first
        and digits
        and last > first
        and not note.kinds[first] & lex.MONTH
        and any(note.kinds[place] & lex.CAP for place in range(first, last + 1))
    ):
        yield Span(note.starts[first], note.ends[last], LOCATION, 6)


def _may_go_on(note: Note, place: int) -> bool:
    return (
        bool(note.kinds[place] & lex.DIGIT)
        or note.words[place].lower() in _UNIT_WORDS
        or len(note.words[place - 1]) <= 3
    )


_COUNTRY_CODE = re.compile(r",?\s{1,3}\d{4,6}\b(?!\s?(?:mg|ml|units))")
_MILITARY = re.compile(
    r"\b(?:(?:PSC|CMR|Unit|UNIT|unit|psc|USS|USNS|USNV|USCGC)\s[\w-]+,?\s{1,3}(?:box|Box|BOX)?\s?\d*\s{0,3})?(?:APO|FPO|DPO|apo|fpo|dpo),?\s(?:AA|AE|AP|aa|ae|ap)\s\d{5}\b"
)


def _numbers_around(note: Note, first: int, last: int) -> Span | None:
    """'233 Erzsébet tér 19.', '20789 Allika 46': an unknown word between numbers, or before one and a unit, is a street."""
    text = note.text
    number = _NUMBER_BEFORE.search(text, max(0, note.starts[first] - 12), note.starts[first])
    after = re.compile(
        r"(?: [a-zà-ž.]{1,4}\.?| tér| utca| [a-zà-ž]+)?\s\d{1,4}\b(?![.,/:]\d|\s?(?:mg|ml|mcg|units?|%|mm|cm|tab|x\s))\.?"
    ).match(text, note.ends[last])
    if after and (number or re.compile(r"[\s,]{1,4}(?:Apt|Suite|Ste|\d{5}\b)").match(text, after.end())):
        return _extend(text, Span(number.start() if number else note.starts[first], after.end(), LOCATION, 6))
    return None


def find_places(note: Note, lexicon: Lexicon) -> Iterator[Span]:
    """Addresses, towns, facilities and companies."""
    text = note.text
    for index, word in enumerate(note.words):
        if word in _CUE_WORDS or (word[:1].isupper() and word.lower() in _CUE_WORDS):
            yield from _after_cue(note, index)
    if "APO" in text or "FPO" in text or "DPO" in text or "po a" in text:
        yield from (Span(*found.span(), LOCATION, 7) for found in _MILITARY.finditer(text))
    for index in note.marked:
        kind, word = note.kinds[index], note.words[index]
        if kind & lex.STREET and (kind & lex.CAP or word in _STREETS_SURE):
            yield from _street(note, index)
        if kind & lex.FACILITY:
            yield from _facility(note, lexicon, index)
        if kind & lex.COMPANY and kind & lex.CAP:
            yield from _company(note, index)
        if kind & lex.PLACE:
            yield from _town(note, lexicon, index)
        if kind & lex.DIGIT and len(word) == 3 and word[1].isalpha():
            yield from _postcode(note, index)
        if kind & lex.CAP:
            low = word.lower()
            if word in _KNOWN_WORDS:
                yield from _known_facility(note, index)
            if (
                low in _SAINT
                and index + 1 < len(note.words)
                and note.kinds[index + 1] & lex.CAP
                and note.gap(index) in (" ", ". ")
            ):
                yield Span(note.starts[index], _with_possessive(note, index + 1), LOCATION, 6)
            if _FOREIGN_STREET.search(word) and len(word) > 6 and not kind & (lex.WORD | lex.CLINICAL):
                yield _foreign(note, index)
            if kind & lex.COUNTRY and (code := _COUNTRY_CODE.match(text, note.ends[index])):
                yield Span(note.starts[index], code.end(), LOCATION, 7)
            is_abbreviation = kind & lex.UPPER and len(word) < 6
            if (
                not is_abbreviation
                and not kind & (lex.WORD | lex.CLINICAL | lex.FACILITY | lex.TITLE | lex.MONTH | lex.LETTER)
                and (street := _numbers_around(note, index, index))
            ):
                yield street
            if not kind & lex.UPPER or word.isalpha():
                yield from _after_at(note, index)
    if "Hwy" in text or "Highway" in text or "Route" in text or "Rte" in text or "Road" in text or " FM " in text:
        yield from (_extend(text, Span(*found.span(), LOCATION, 7)) for found in _HIGHWAY.finditer(text))
    if "Box" in text or "BOX" in text or "box" in text:
        yield from (
            _extend(text, _with_number(text, Span(*found.span(), LOCATION, 7))) for found in _PO_BOX.finditer(text)
        )
    yield from _more_places(text)
    if any(cue in text for cue in ("ives at", "iving at", "esid", "ddress", "oved to")) or text.islower():
        yield from _small_streets(text)
    for found in (
        _UNIT_ALONE.finditer(text)
        if re.search(r"\b(?:Apt|Suite|Ste|Apartment|Unit|Room|Rm|apt|suite|APT|ROOM|RM)\b", text)
        else ()
    ):
        yield _extend(text, Span(*found.span(), LOCATION, 6))


def _with_number(text: str, span: Span) -> Span:
    number = _NUMBER_BEFORE.search(text, max(0, span.start - 10), span.start)
    return span._replace(start=number.start()) if number else span


def _with_possessive(note: Note, index: int) -> int:
    end = note.ends[index]
    return end + 2 if note.text[end : end + 2] in ("'s", "’s") else end


def _street(note: Note, index: int) -> Iterator[Span]:
    """A number, up to four words, and a kind of street; or a street named without its number."""
    low = note.words[index].lower()
    first = index
    while (
        first > 0
        and index - first < 4
        and note.before(first) in (" ", ". ", "-", "'s ", "’s ")
        and _may_name_street(note, first - 1)
    ):
        first -= 1
    if first == index and low not in _STREET_FIRST:
        return
    number = _NUMBER_BEFORE.search(note.text, max(0, note.starts[first] - 14), note.starts[first])
    if (
        number is None
        and first > 0
        and note.kinds[first - 1] & lex.DIGIT
        and note.before(first) == " "
        and note.words[first - 1][-2:] in ("st", "nd", "rd", "th")
    ):
        number = _NUMBER_BEFORE.search(note.text, max(0, note.starts[first - 1] - 14), note.starts[first - 1])
        first -= 1
    if number:
        yield _extend(note.text, Span(number.start(), note.ends[index], LOCATION, 8))
    elif (
        low in _STREETS_SURE
        and note.kinds[index] & lex.CAP
        and low not in ("drive", "way", "place", "court", "road", "loop", "trail", "lane", "circle")
    ):
        yield Span(note.starts[first], note.ends[index], LOCATION, 6)


def _may_name_street(note: Note, index: int) -> bool:
    kind, word = note.kinds[index], note.words[index]
    if kind & lex.DIGIT:
        return word[-2:].lower() in ("st", "nd", "rd", "th")
    return bool(kind & lex.CAP) and word.lower() not in FUNCTION_WORDS


def _foreign(note: Note, index: int) -> Span:
    start, end = note.starts[index], note.ends[index]
    number = _NUMBER_BEFORE.search(note.text, max(0, start - 12), start)
    after = re.compile(r"\s\d{1,4}[A-Za-z]?\b").match(note.text, end)
    return _extend(note.text, Span(number.start() if number else start, after.end() if after else end, LOCATION, 7))


def _extend(text: str, span: Span) -> Span:
    """The lines of an address after its first: unit, town, state, ZIP."""
    end, steps = span.end, 0
    while steps < 8 and (more := _goes_on(text, end)):
        end, steps = more, steps + 1
    return span._replace(end=end)


def _goes_on(text: str, end: int) -> int | None:
    if text[end : end + 2] in (".,", ".\n") or (
        text[end : end + 1] == "." and re.match(r"\. (?:#|apt|suite|unit|ste)", text[end : end + 8], re.IGNORECASE)
    ):
        end += 1
    found = _ADDRESS_GOES_ON.match(text, end)
    if not found:
        return None
    piece = found[0].strip(" ,;\n\r\t")
    if "\n\n" in found[0]:
        return None
    first = piece.split()[0] if piece.split() else ""
    if first[:1].islower() and not re.match(_UNIT, piece, re.IGNORECASE):
        return None
    if first.lower().rstrip(".") in FUNCTION_WORDS or (
        first[:1].isalpha()
        and first.lower()
        in ("he", "she", "phone", "tel", "fax", "mrn", "dob", "email", "ssn", "cell", "home", "occupation", "i")
    ):
        return None
    if "." in piece[:-1] and not re.match(_UNIT, piece, re.IGNORECASE) and "\n" in found[0]:
        return None
    return found.start() + len(found[0].rstrip(" ,;."))


def _facility(note: Note, lexicon: Lexicon, index: int) -> Iterator[Span]:
    """A kind of facility with a proper name before it or after 'of': 'Riverfield Medical Center', 'NYC clinic'."""
    last = index
    while (
        last + 1 < len(note.words)
        and last - index < 4
        and note.gap(last) == " "
        and note.words[last + 1].lower() in FACILITIES | {"care", "system", "home", "network"}
        and (note.kinds[last + 1] & lex.CAP or not note.kinds[index] & lex.CAP)
    ):
        last += 1
    first = index
    while (
        first > 0
        and index - first < 6
        and note.before(first) in (" ", ". ", "'s ", "’s ", "-", "' ")
        and _names_facility(note, first - 1, first)
    ):
        first -= 1
    while first < index and (
        not note.kinds[first] & lex.CAP
        or note.kinds[first] & (lex.WEEKDAY | lex.MONTH)
        or note.words[first].lower() in FUNCTION_WORDS
    ):
        first += 1
    proper = [
        place
        for place in range(first, index)
        if note.words[place].lower() not in _GENERIC
        and note.words[place].lower() not in _CONNECTED
        and not note.kinds[place] & lex.DIGIT
        and not _SPECIALTY.search(note.words[place])
    ]
    after = _of_place(note, last)
    if not proper and not after:
        if (
            first < index
            and note.kinds[index] & lex.CAP
            and note.words[last] in ("Hospital", "Clinic", "General", "Center")
            and _AT_BEFORE.search(note.text, max(0, note.starts[first] - 16), note.starts[first])
        ):
            yield Span(note.starts[first], note.ends[last], LOCATION, 5)
        return
    if not note.kinds[index] & lex.CAP and not any(_is_proper(note, place) for place in proper):
        return
    if (
        note.words[index].lower()
        in (
            "center",
            "centre",
            "med",
            "health",
            "care",
            "general",
            "memorial",
            "church",
            "medicine",
            "institute",
            "school",
            "labs",
            "manor",
            "oncology",
            "cardiology",
            "dialysis",
            "pediatrics",
            "medical",
        )
        and not any(_is_proper(note, place) for place in proper)
        and not after
    ) and not _PLACE_BEFORE.search(note.text, max(0, note.starts[first] - 8), note.starts[first]):
        return
    end = _with_town(note, lexicon, after or last)
    yield Span(note.starts[first], end, LOCATION, 7)


def _with_town(note: Note, lexicon: Lexicon, last: int) -> int:
    """The end of a facility, with ', Boston' behind it."""
    if (
        last + 1 < len(note.words)
        and note.gap(last) == ", "
        and note.kinds[last + 1] & lex.PLACE
        and note.words[last + 1] in lexicon.places
    ):
        return note.ends[last + 1]
    return note.ends[last]


def _names_facility(note: Note, index: int, following: int) -> bool:
    word, kind = note.words[index], note.kinds[index]
    if word.lower() in ("of", "and", "the", "at", "for") and index > 0:
        return bool(
            note.kinds[index - 1] & lex.CAP and note.kinds[following] & lex.CAP and word.lower() in ("of", "and")
        )
    return bool(kind & lex.CAP) and not (word.lower() in FUNCTION_WORDS and "\n" in note.before(following))


def _is_proper(note: Note, index: int) -> bool:
    """Neither a word of the language nor a clinical one."""
    kind = note.kinds[index]
    return bool(kind & (lex.NAMES | lex.PLACE | lex.STATE)) or not kind & (lex.WORD | lex.CLINICAL)


def _of_place(note: Note, last: int) -> int | None:
    """'… Hospital of Philadelphia', 'University of Chicago Medical Center', '… Hospital Boston'."""
    index = last + 1
    if index >= len(note.words):
        return None
    if (
        note.words[index].lower() in ("of", "at")
        and note.gap(last) == " "
        and index + 1 < len(note.words)
        and note.kinds[index + 1] & lex.CAP
        and note.kinds[last] & lex.CAP
    ):
        stop = index + 1
        while (
            stop + 1 < len(note.words) and note.gap(stop) == " " and note.kinds[stop + 1] & lex.CAP and stop - index < 5
        ):
            stop += 1
        words = [note.words[place].lower() for place in range(index + 1, stop + 1)]
        return (
            stop
            if any(word not in _GENERIC and word not in FUNCTION_WORDS for word in words)
            and any(_is_proper(note, place) for place in range(index + 1, stop + 1))
            else None
        )
    if (
        note.gap(last) == " "
        and note.kinds[index] & lex.PLACE
        and note.kinds[index] & lex.CAP
        and note.kinds[last] & lex.CAP
    ):
        return index
    return None


def _company(note: Note, index: int) -> Iterator[Span]:
    first = index
    while (
        first > 0
        and index - first < 5
        and note.before(first) in (" ", ", ", " & ", "-", ". ")
        and (note.kinds[first - 1] & lex.CAP or note.words[first - 1] == "and")
    ):
        first -= 1
    while first < index and (
        note.words[first].lower() in FUNCTION_WORDS
        or not note.kinds[first] & lex.CAP
        or any(map(str.isdigit, note.words[first]))
    ):
        first += 1
    if first < index and note.words[index].lower() not in ("partners", "bank", "associates", "co", "company", "group"):
        yield Span(note.starts[first], note.ends[index], ORGANIZATION, 6)
    elif (
        first < index
        and note.kinds[index] & lex.CAP
        and not note.kinds[index] & lex.UPPER
        and note.before(index) == " "
    ):
        yield Span(note.starts[first], note.ends[index], ORGANIZATION, 5)


def _known_facility(note: Note, index: int) -> Iterator[Span]:
    found = _KNOWN.match(note.text, note.starts[index])
    if found is None:
        return
    if found[0] in _UNSURE and not _PLACE_BEFORE.search(note.text, max(0, found.start() - 10), found.start()):
        return
    yield Span(*found.span(), LOCATION, 6)


def _town(note: Note, lexicon: Lexicon, index: int) -> Iterator[Span]:
    """A town of the list, its longest form first, with state and ZIP."""
    words = note.words
    for length in (4, 3, 2, 1):
        last = index + length - 1
        if last >= len(words):
            continue
        gaps = [note.gap(place) for place in range(index, last)]
        if any(gap not in (" ", ". ", "-", "\n") for gap in gaps):
            continue
        name = " ".join(words[index : last + 1])
        if name not in lexicon.places and not (
            (name.isupper() or length > 1) and len(name) > 3 and name.lower() in lexicon.places_folded
        ):
            continue
        if last + 1 < len(words) and _is_scale(words[last + 1]) and note.gap(last) == " ":
            return  # LA grade B, the Rome IV criteria, Paris classification
        state = _STATE_AFTER.match(note.text, note.ends[last])
        if state and name.isupper() and state[0][:1] != "," and not _ZIP_AFTER.match(note.text, state.end()):
            state = None  # HOME ON JULY 3: in capitals ON, IN, OR and ME are words
        if length == 1 and not state and not _is_sure_town(note, index):
            return
        end = note.ends[last]
        if state:
            end = state.end()
            zip_code = _ZIP_AFTER.match(note.text, end)
            end = zip_code.end() if zip_code else end
        yield Span(note.starts[index], end, LOCATION, 6 if length == 1 else 7)
        return


_ROMAN = re.compile(r"I{1,3}[abc]?|I?V[abc]?")


def _is_scale(word: str) -> bool:
    """Is the word before this one the name of a scale, though it is a town's?"""
    return word in ("grade", "criteria", "classification", "scale", "score", "system") or bool(_ROMAN.fullmatch(word))


_TOWN_CUE = re.compile(r"\b(?:in|from|near|to|at|of|outside|around|visiting|downtown|city|town)\s$|(?:^|[,(]\s?)$")


def _is_sure_town(note: Note, index: int) -> bool:
    kind, word = note.kinds[index], note.words[index]
    if kind & (lex.STATE | lex.COUNTRY) and not kind & lex.COMMON:
        return False
    if not kind & (lex.WORD | lex.CLINICAL | lex.NAMES) or word in lex.vocabulary.PLACE_NICKNAMES:
        return len(word) > 3 or word in lex.vocabulary.PLACE_NICKNAMES
    before = note.text[max(0, note.starts[index] - 12) : note.starts[index]]
    return (
        bool(_TOWN_CUE.search(before))
        and before != ""
        and not kind & (lex.CLINICAL | lex.UPPER)
        and before[-1:] == " "
        and before.strip()[-1:].isalpha()
    )


_GENERIC_FIRST = words(
    "General City County Community University Memorial Regional Central Municipal State Children's Women's Veterans"
)


def _is_generic_hospital(named: list[str]) -> bool:
    """General Hospital, City Hospital: a name where it is written with capitals after 'at'."""
    return len(named) > 1 and named[0] in _GENERIC_FIRST and named[-1] in ("Hospital", "Clinic")


_COUNTY = re.compile(
    r"\b(?!(?:The|This|Our|Your|Each|Every|Any|State|City|Same|Other)\b)(?:[A-Z][a-z.'’]+[ -]){1,3}(?:County|Township|Parish)\b"
)
_POSTCODE = re.compile(  # of Britain, then of Canada
    r"\b(?:[A-Z]{1,2}\d[A-Z\d]? \d(?!(?:ST|ND|RD|TH)\b)[ABD-HJLNP-UW-Z]{2}|[A-CEGHJ-NPRSTVXY]\d[A-Z] \d[A-Z]\d)\b"
)
_RURAL = re.compile(r"\b(?:R\.?R\.?|HC|HCR|Rural Route|Star Route) ?#?\d{1,3},? Box \d{1,5}\b", re.IGNORECASE)


def _more_places(text: str) -> Iterator[Span]:
    """Counties and rural routes."""
    if "County" in text or "Township" in text or "Parish" in text:
        yield from (Span(*found.span(), LOCATION, 6) for found in _COUNTY.finditer(text))
    if "Box" in text or "BOX" in text:
        yield from (_extend(text, Span(*found.span(), LOCATION, 7)) for found in _RURAL.finditer(text))


def _postcode(note: Note, index: int) -> Iterator[Span]:
    """MK9 3BZ, K1A 0B1 after a town; ``index`` is of its second half."""
    start = note.starts[index - 1] if index else note.starts[index]
    found = _POSTCODE.match(note.text, start)
    if found and _TOWN_BEFORE.search(note.text, max(0, start - 24), start):
        yield Span(*found.span(), LOCATION, 6)


_SMALL_STREET = re.compile(
    r"(?<![\w./-])\d{2,5} (?:[nsew]\.? )?([a-z][a-z'’.]*(?: [a-z][a-z'’]*){0,2}) (?:street|avenue|ave|boulevard|blvd|road|rd|lane|ln|drive|dr|parkway|pkwy|court|ct|terrace|circle|st|way|place|pl)\b\.?"
    r"(?:,? (?:apt|unit|suite|#)\.? ?#?[\da-z]{1,5}\b)?(?:,? [a-z]+(?: [a-z]+)?,? (?:[a-z]{2} )?\d{5}(?:-\d{4})?\b)?"
)


def _small_streets(text: str) -> Iterator[Span]:
    """'18679 cherry hill road', in a text that speaks of addresses or is written small throughout."""
    for found in _SMALL_STREET.finditer(text):
        if not FUNCTION_WORDS & set(found[1].split()) and not _MEASURED.search(found[1]):
            yield Span(*found.span(), LOCATION, 6)


_MEASURED = re.compile(
    r"\b(?:mg|ml|mcg|days?|weeks?|months?|years?|yrs?|hours?|feet|ft|miles?|yards?|units?|tabs?|minutes?|times|yo|y)\b"
)
_TOWN_BEFORE = re.compile(r"[A-Z][a-zA-Z]+,?\s$")


def _after_at(note: Note, index: int) -> Iterator[Span]:
    """Capitalised words after 'at': 'seen at Cedar Crest'."""
    if index == 0 or note.words[index - 1] not in ("at", "to", "from", "the", "in", "visited"):
        return
    before = note.text[max(0, note.starts[index] - 32) : note.starts[index]]
    is_at = bool(_AT_BEFORE.search(before))
    if not is_at and not _SENT_TO.search(before):
        return
    last = index
    while (
        last + 1 < len(note.words)
        and last - index < 4
        and note.gap(last) in (" ", ". ", "-")
        and note.kinds[last + 1] & lex.CAP
        and (note.gap(last) != ". " or note.words[last].lower() in _SAINT)
    ):
        last += 1
    words = range(index, last + 1)
    if all(
        note.words[place].lower() in _GENERIC | FUNCTION_WORDS
        or note.kinds[place] & (lex.CLINICAL | lex.LETTER | lex.MONTH | lex.WEEKDAY | lex.COUNTRY)
        for place in words
    ) and not _is_generic_hospital([note.words[place] for place in words]):
        return
    if (
        last == index
        and (note.kinds[index] & lex.UPPER and len(note.words[index]) < 6)
        and not note.kinds[index] & lex.PLACE
    ):
        return
    yield Span(note.starts[index], note.ends[last], LOCATION, 6)
