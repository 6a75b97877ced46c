"""Facilities of care and learning: a proper name with the kind of facility, and those that everybody calls by name alone."""

from __future__ import annotations

import re

from include.privacy.text import lexicon as lex
from include.privacy.text.lexicon import Lexicon
from include.privacy.text.reading import Note
from include.privacy.text.spans import LOCATION, Span
from include.privacy.text.vocabulary import FACILITIES, FUNCTION_WORDS, KNOWN_FACILITIES, words

_MOST_WORDS_OF_KIND = 4
_MOST_WORDS_OF_NAME = 6
_MOST_WORDS_OF_PLACE = 5
_KIND_GOES_ON = FACILITIES | {"care", "system", "home", "network"}
_INSIDE_FACILITY = (" ", ". ", "'s ", "’s ", "-", "' ")
_WOMENS = re.compile(r" (?:&|and) (?:Women|Children)['’]s(?: Hospital)?")
_CONNECTED = words("of the and at for & women's children's")
_GENERIC = words(
    "hospital hospitals clinic clinics emergency medical center health care primary urgent intensive outpatient inpatient community local general regional rehabilitation nursing home home's school "
    "surgery surgical department dept unit public mental women children cancer heart eye pain wound sleep dialysis physical therapy family internal medicine behavioral laboratory lab labs trauma "
    "burn imaging radiology diagnostic ambulatory assisted living skilled facility long term acute university college institute high elementary middle church pharmacy jail prison shelter "
    "hospice infirmary acute surgicenter our their his her another outside other same state county city teaching tertiary veterans va military day child adult senior specialty specialist "
    "orthopedic orthopedics cardiology oncology neurology pediatric pediatrics gastroenterology dermatology urology vascular breast stroke diabetes renal transplant fertility infusion research vital "
    "good poor fair excellent overall in for past current level data records record status history national world global federal department behavioral dental oral"
)
GENERIC_OR_FUNCTION_WORDS = _GENERIC | FUNCTION_WORDS
_SPECIALTY = re.compile(
    r"(?:olog(?:y|ic|ical)|iatr(?:y|ics?)|surg(?:ery|ical)|cardiac|catheteri[sz]ation|infectious|disease|wellness|endoscop(?:y|ic)|wound|spine|spinal|joint|chest|bone|brain|kidney|liver|lung|gluteal|chiropractic|sports|travel|prenatal|obstetric|maternity|tumor|headache|memory|weight|anticoagulation|coumadin|cath|pulmonary|critical|ambulatory|same-day|radiation|oral|labor|delivery)s?$",
    re.IGNORECASE,
)
# These also end what is none, as 'Home Care' or 'Family Medicine'.
_UNSURE_KINDS = words(
    "center centre med health care general memorial church medicine institute school labs manor oncology cardiology dialysis pediatrics medical"
)
_GENERIC_ENDINGS = ("Hospital", "Clinic", "General", "Center")
_CALENDAR = lex.WEEKDAY | lex.MONTH
_WORD_OR_CLINICAL = lex.WORD | lex.CLINICAL
_NAME_OR_PLACE = lex.NAMES | lex.PLACE | lex.STATE
_KNOWN = re.compile(
    r"\b(?:"
    + "|".join(sorted(map(re.escape, KNOWN_FACILITIES), key=len, reverse=True))
    + r")\b(?!\s(?:clamp|stand|scissors|retractor|criteria|stitch|suture|classification|rod|rods|sign|test))"
)
KNOWN_FIRST_WORDS = frozenset(re.split(r"[ .-]", name)[0] for name in KNOWN_FACILITIES)
# Known facilities that are also names, instruments or words need a word of place before them.
_UNSURE = words(
    "Duke Emory Rush Sharp Jefferson Temple Riley Banner Mercy Atrium Sutter Lahey Ochsner Penn Columbia Cornell Methodist Presbyterian Providence Ascension Mayo Hopkins Brigham Baylor Beaumont Bellevue Langone Tufts Yale UW USC HCA MSK Parkland"
)
_PLACE_BEFORE = re.compile(r"\b(?:at|from|to|in|of|by|near|via|with|visited|the|and|or|,)\s$", re.IGNORECASE)
AT_BEFORE = re.compile(
    r"\b(?:(?:seen|evaluated|treated|admitted|operated|diagnosed|followed|performed|hospitalized|done|examined|assessed|managed|transferred|referred|discharged|surgery|procedure|visit|appointment|care|check-?up|admission|treatment)\s)?(?:at|@)\s(?:the\s)?$",
    re.IGNORECASE,
)


def find_facility(note: Note, lexicon: Lexicon, index: int) -> Span | None:
    """A kind of facility with a proper name before it or after 'of': 'Riverfield Medical Center', 'NYC clinic'."""
    last = _end_of_kind(note, index)
    first = _first_of_name(note, index)
    telling = [place for place in range(first, index) if _tells_which(note, place)]
    after = _end_of_place(note, last)
    if not telling and not after:
        is_visited = first < index and _is_visited(note, first, index, last)
        return Span(note.starts[first], note.ends[last], LOCATION, 5) if is_visited else None
    if not any(_is_proper(note, place) for place in telling) and not _is_written_as_name(note, first, index, after):
        return None
    return Span(note.starts[first], _end_with_town(note, lexicon, after or last), LOCATION, 7)


def _end_of_kind(note: Note, index: int) -> int:
    """'Medical Center' from 'Medical', 'nursing home' from 'nursing'."""
    last = index
    while (
        last + 1 < len(note.words)
        and last - index < _MOST_WORDS_OF_KIND
        and note.gap(last) == " "
        and note.words[last + 1].lower() in _KIND_GOES_ON
        and (note.kinds[last + 1] & lex.CAP or not note.kinds[index] & lex.CAP)
    ):
        last += 1
    return last


def _first_of_name(note: Note, index: int) -> int:
    """'Our Lady of Hope' before 'Hospital', from 'Lady' on; ``index`` if no name stands before the kind."""
    first = index
    while (
        first > 0
        and index - first < _MOST_WORDS_OF_NAME
        and note.before(first) in _INSIDE_FACILITY
        and _names_facility(note, first - 1, first)
    ):
        first -= 1
    while first < index and not _may_begin_facility(note, first):
        first += 1
    return first


def _names_facility(note: Note, index: int, following: int) -> bool:
    """A capital, or 'of' and 'and' between two: 'Lady of Hope'; not 'Plan' in the line above the facility's."""
    low, kind = note.words[index].lower(), note.kinds[index]
    if low in ("of", "and") and index > 0:
        return bool(note.kinds[index - 1] & note.kinds[following] & lex.CAP)
    if low in ("the", "at", "for") and index > 0:
        return False
    return bool(kind & lex.CAP) and not (low in FUNCTION_WORDS and "\n" in note.before(following))


def _may_begin_facility(note: Note, index: int) -> bool:
    """No 'The', 'of' or 'Monday'."""
    kind = note.kinds[index]
    return bool(kind & lex.CAP) and not kind & _CALENDAR and note.words[index].lower() not in FUNCTION_WORDS


def _tells_which(note: Note, index: int) -> bool:
    """'Riverfield'; not 'Regional', 'of', 'Cardiology' or a number."""
    word = note.words[index]
    low = word.lower()
    if low in _GENERIC or low in _CONNECTED or note.kinds[index] & lex.DIGIT:
        return False
    return _SPECIALTY.search(word) is None


def _is_proper(note: Note, index: int) -> bool:
    """Neither a word of the language nor a clinical one."""
    kind = note.kinds[index]
    return bool(kind & _NAME_OR_PLACE) or not kind & _WORD_OR_CLINICAL


def _is_written_as_name(note: Note, first: int, index: int, after: int | None) -> bool:
    """'Golden Hospital': only words of the language, but a capital kind; 'Golden Care' needs 'at' before or 'of Boston' behind."""
    if not note.kinds[index] & lex.CAP:
        return False
    is_sure = after or note.words[index].lower() not in _UNSURE_KINDS
    return bool(is_sure) or _follows_place_word(note.text, note.starts[first], 8)


def _is_visited(note: Note, first: int, index: int, last: int) -> bool:
    """'seen at Community Hospital': a name of common words, with capitals after 'at'."""
    if not note.kinds[index] & lex.CAP or note.words[last] not in _GENERIC_ENDINGS:
        return False
    start = note.starts[first]
    return AT_BEFORE.search(note.text, max(0, start - 16), start) is not None


def _follows_place_word(text: str, start: int, reach: int) -> bool:
    """'from ', 'visited ' right before ``start``."""
    return _PLACE_BEFORE.search(text, max(0, start - reach), start) is not None


def _end_of_place(note: Note, last: int) -> int | None:
    """'… Hospital of Philadelphia', 'University of Chicago Medical Center', '… Hospital Boston': the last word of the place."""
    index = last + 1
    if index >= len(note.words) or note.gap(last) != " " or not note.kinds[last] & lex.CAP:
        return None
    is_of = note.words[index].lower() in ("of", "at")
    if is_of and index + 1 < len(note.words) and note.kinds[index + 1] & lex.CAP:
        return _end_of_capitals_after_of(note, index)
    return index if note.kinds[index] & lex.PLACE and note.kinds[index] & lex.CAP else None


def _end_of_capitals_after_of(note: Note, index: int) -> int | None:
    """The last of the capitals behind 'of' at ``index``, if they tell which facility it is."""
    stop = index + 1
    while (
        stop + 1 < len(note.words)
        and note.gap(stop) == " "
        and note.kinds[stop + 1] & lex.CAP
        and stop - index < _MOST_WORDS_OF_PLACE
    ):
        stop += 1
    places = range(index + 1, stop + 1)
    is_special = any(note.words[place].lower() not in GENERIC_OR_FUNCTION_WORDS for place in places)
    return stop if is_special and any(_is_proper(note, place) for place in places) else None


def _end_with_town(note: Note, lexicon: Lexicon, last: int) -> int:
    """Where a facility ends in the text, with ', Boston' behind it."""
    town = last + 1
    if (
        town < len(note.words)
        and note.gap(last) == ", "
        and note.kinds[town] & lex.PLACE
        and note.words[town] in lexicon.places
    ):
        return note.ends[town]
    return note.ends[last]


def find_known_facility(note: Note, index: int) -> Span | None:
    """'Johns Hopkins', 'UCSF'; 'Duke' and 'Mercy' only after a word of place; not a 'Mayo stand'."""
    found = _KNOWN.match(note.text, note.starts[index])
    if found is None or (found[0] in _UNSURE and not _follows_place_word(note.text, found.start(), 10)):
        return None
    behind = _WOMENS.match(note.text, found.end())
    return Span(found.start(), behind.end() if behind else found.end(), LOCATION, 6)
