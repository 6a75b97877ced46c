"""People's names by how they are written and by the words around them, without knowing who they are.

Capitalised words standing together form a run; a run is a name by its title, its label, its credentials, its given names,
or because no dictionary knows a word of it. Eponyms and instruments stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from include.privacy.text import lexicon as lex
from include.privacy.text.lexicon import Lexicon
from include.privacy.text.reading import Note
from include.privacy.text.spans import LOCATION, NAME, ORGANIZATION, Span
from include.privacy.text.terms import DOSE, IS_COLON, TWO_EPONYMS, is_term
from include.privacy.text.vocabulary import FUNCTION_WORDS

_JOINS = re.compile(r" {1,2}|\. ?|[-‐–] ?| ?\n ?|['’]")  # what may stand between two parts of a name
_COMMA = re.compile(r", {0,2}$")
_TITLE_GAP = re.compile(r"\.?\s{0,3}$")
_LABEL = re.compile(
    r"(?:\b(?:patient(?:'s)?(?: name)?|pt(?: name)?|name(?: of patient)?|first name|last name|surname|full name|maiden name|middle name|given name|family name|"
    r"attending(?: physician)?|consults?|physician|provider|surgeon|assistant|anesthesiologist|pcp|primary care (?:physician|provider)|referring (?:physician|provider|md)|consultant|consulting physician|"
    r"dictated by|transcribed by|signed by|reviewed by|authenticated by|verified by|ordered by|performed by|seen by|attested by|entered by|interpreted by|author|resident|intern|nurse|therapist|"
    r"emergency contact|next of kin|nok|contact(?: person)?|guardian|guarantor|subscriber|insured|responsible party|spouse|mother|father|wife|husband|daughter|son|sister|brother|friend|poa|hcp|proxy|"
    r"witness|interpreter|informant|historian|employer|client|member|user|attn|dear)\s?(?:\([^)\n]{0,20}\))?\s?[:=]\s{0,4})$",
    re.IGNORECASE,
)
_SAYS_NAME = re.compile(
    r"(?:\b(?:named|called|said|says|asked|told|i'm|i am|this is|hi|hello|hey|dear|calls me|call me|name is|name was|names? are|known as|goes by|aka|a\.k\.a\.|née|nee|formerly|signed,?|sincerely,?|regards,?|dictated by|signed by|seen by|evaluated by|examined by|followed by dr\.?|accompanied by|"
    r"(?:his|her|their|the patient's|my|pt's|patient's) (?:wife|husband|spouse|mother|father|mom|dad|son|daughter|brother|sister|aunt|uncle|partner|friend|caregiver|guardian|nurse|fiancée?|boyfriend|girlfriend|roommate|niece|nephew|cousin|"
    r"grandmother|grandfather|grandson|granddaughter|neighbor|doctor|physician|surgeon|pcp|cardiologist|oncologist|therapist),?)\s{1,2})$",
    re.IGNORECASE,
)
_PLACE_CUE = re.compile(
    r"\b(?:at|in|from|near|to|outside|visiting|around|of|via|within|between|across|through|leaving|into|toward|city|town|county|village|downtown|north|south|east|west|northern|southern|eastern|western)\s(?:the\s)?$",
    re.IGNORECASE,
)
_AT = re.compile(
    r"\b(?:at|admitted to|transferred (?:to|from)|referred (?:to|from)|discharged (?:to|from)|visited|presented to|lives in|living in|resid(?:es|ing) (?:in|at)|moved (?:to|from)|born in|flew (?:to|from))\s(?:the\s)?$",
    re.IGNORECASE,
)
_COMPANY_CUE = re.compile(
    r"\b(?:works? (?:at|for)|worked (?:at|for)|working (?:at|for)|employed (?:by|at)|employer:?|job at|hired by|retired from|company|firm)\s(?:the\s)?$",
    re.IGNORECASE,
)
_VERB_AFTER = re.compile(
    r"(?:'s)?,? (?:is|was|has|had|reports?|reported|denies|denied|presents?|presented|states?|stated|says|said|complains?|complained|lives|works|came|comes|went|will|would|did|does|underwent|received|takes|took|called|"
    r"returns?|returned|and (?:his|her)|who|whose|arrived|admits|notes|noted|feels|felt|agrees|agreed|wants|needs|asked|told|tolerated|remains|continues|appears)\b"
)
# What is said of people only, and 'per' before who said it.
_MOVED = re.compile(
    r" (?:was|has been|will be|is being) (?:transferred (?:to|from)|admitted|discharged (?:home|to)|intubated|extubated|consented|counsel+ed|brought)\b"
)
_PER = re.compile(r"\b[Pp]er $")
_PER_AFTER = re.compile(r"[,.;:)]|['’]s |\s(?:notes?|recs?|recommendations?|request|report)\b")
_SENTENCE_END = re.compile(r"(?:^|[.!?:;]['\")\]]?\s{1,4}|\n\s*(?:[-*•]\s*|\d{1,2}[.)]\s*)?|[-*•]\s|[\"“(]\s?)$")
_AFTER_TITLE_SMALL = re.compile(r"\b(?:dr|mr|mrs|ms|miss|prof)\b\.?\s{1,2}$", re.IGNORECASE)


def find_names(note: Note, lexicon: Lexicon) -> Iterator[Span]:
    """Names, and words that no dictionary knows."""
    is_shouted = _mostly_capitals(note)
    place, marked = 0, note.marked
    while place < len(marked):
        first = marked[place]
        kind = note.kinds[first]
        if kind & lex.CAP:
            last = _end_of_run(note, first)
            yield from _judge_run(note, lexicon, first, last, is_shouted)
            while place < len(marked) and marked[place] <= last:
                place += 1
            continue
        if kind & lex.NAMES or kind & lex.TITLE:
            yield from _small(note, lexicon, first)
        place += 1


def _mostly_capitals(note: Note) -> bool:
    """A text written in capitals throughout: capitals then say nothing."""
    long = [word for word in note.words[:400] if len(word) > 3]
    return len(long) > 6 and sum(map(str.isupper, long)) > 0.7 * len(long)


def _end_of_run(note: Note, first: int) -> int:
    last = index = first
    kinds, count = note.kinds, len(note.kinds)
    while index + 1 < count and index - first < 12:
        gap = note.text[note.ends[index] : note.starts[index + 1]]
        if (
            gap[:2] in ("'s", "’s")
            or not _JOINS.fullmatch(gap)
            or len(gap) > 3
            or (gap[:1] == "." and not _may_be_cut(note.words[index], kinds[index]))
        ):
            break
        index += 1
        if kinds[index] & lex.CAP:
            last = index
        elif not kinds[index] & lex.PARTICLE or not kinds[index - 1] & (lex.CAP | lex.PARTICLE):
            break
    return last


def _may_be_cut(word: str, kind: int) -> bool:
    """A full stop after an initial, a title or 'St' ends no sentence."""
    return len(word) == 1 or bool(kind & (lex.TITLE | lex.CREDENTIAL)) or word.lower() in ("st", "mt", "ft", "jr", "sr")


def _judge_run(note: Note, lexicon: Lexicon, first: int, last: int, is_shouted: bool) -> Iterator[Span]:
    text = note.text
    before = text[max(0, note.starts[first] - 48) : note.starts[first]]
    # A title inside or before the run: what follows it is a name.
    start = first
    for index in range(first, last + 1):
        if (
            note.kinds[index] & lex.TITLE
            and note.words[index].lower()
            not in ("st", "col", "lt", "fr", "nurse", "sister", "father", "miss", "judge", "pastor")
            or (note.kinds[index] & lex.TITLE and index < last and note.kinds[index + 1] & lex.NAMES)
        ):
            if index > start:
                yield from _judge_part(note, lexicon, start, index - 1, before, is_shouted)
            stop = _title_end(note, index + 1, last)
            if stop >= index + 1:
                yield Span(note.starts[index], _with_stop(note, stop), NAME, 9)
            elif index == last:
                yield from _small_after_title(note, lexicon, index)
            start = stop + 1 if stop >= index + 1 else index + 1
            before = ""
            if start > last:
                return
    if start <= last:
        yield from _judge_part(note, lexicon, start, last, before, is_shouted)


def _title_end(note: Note, first: int, last: int) -> int:
    """Up to four parts after a title, not into an ordinary word of a new phrase."""
    stop = first - 1
    for index in range(first, min(last, first + 4) + 1):
        kind, word = note.kinds[index], note.words[index]
        if "\n" in note.before(index) and index > first:
            break
        if kind & lex.CREDENTIAL and word.isupper() and index > first:
            break
        if word.lower() in FUNCTION_WORDS and not kind & (lex.NAMES | lex.LETTER):
            break
        if index > first and kind & lex.WORD and not kind & lex.NAMES:
            if (
                index == last
                and note.kinds[index - 1] & lex.GIVEN
                and note.before(index) == " "
                and not kind & lex.UPPER
            ):
                stop = index  # Dr. Justin Beet
            break
        stop = index
    return stop


def _small_after_title(note: Note, lexicon: Lexicon, index: int) -> Iterator[Span]:
    """'dr smith': up to two words written small after a title, if they may be names."""
    stop = index
    for following in range(index + 1, min(index + 3, len(note.words))):
        gap, low = note.before(following), note.words[following].lower()
        said = lexicon.names.get(lex.fold(low))
        is_name = said is not None or not lexicon.knows(lex.fold(low))
        if (
            not _TITLE_GAP.match(gap)
            or "\n\n" in gap
            or not low.replace("'", "").replace("’", "").isalpha()
            or low in FUNCTION_WORDS
            or not is_name
            or len(low) < 2
        ):
            break
        if following > index + 1 and lexicon.knows(lex.fold(low)):
            break
        stop = following
    if stop > index:
        yield Span(note.starts[index], _with_stop(note, stop), NAME, 8)


_SMALL_REST = re.compile(r"-[a-zà-ÿ]{2,}\b")


def _with_stop(note: Note, index: int) -> int:
    """The end of a word, with the full stop of an initial or the small rest of 'Hauta-aho'."""
    end = note.ends[index]
    if (
        note.text[end : end + 1] == "-"
        and (rest := _SMALL_REST.match(note.text, end))
        and note.kinds[index] & lex.CAP
        and not note.kinds[index] & lex.WORD
    ):
        following = note.words[index + 1] if index + 1 < len(note.words) else ""
        return rest.end() if not lex.load_lexicon().knows(following.lower()) else end
    return end + 1 if note.kinds[index] & lex.LETTER and note.text[end : end + 1] == "." else end


def _small(note: Note, lexicon: Lexicon, index: int) -> Iterator[Span]:
    """A name written small: after a title, or a common name that is no word."""
    kind = note.kinds[index]
    if kind & lex.TITLE and note.words[index].lower() in ("dr", "mr", "mrs", "ms", "miss", "prof", "mister", "dra"):
        yield from _small_after_title(note, lexicon, index)
    if kind & lex.NAMES and not kind & (lex.WORD | lex.WEEKDAY | lex.MONTH | lex.COUNTRY | lex.STATE):
        low = lex.fold(note.words[index])
        said = lexicon.names.get(low, "")
        stop = _small_end(note, lexicon, index)
        is_pair = len(low) == 3 and "G" in said and stop > index  # eva kleist
        if (
            is_pair
            or (len(low) > 3 and _is_patient(note, index))
            or len(low) > 3
            and (
                "G" in said
                or ("g" in said and "F" in said)
                or (len(low) > 4 and said == "F")
                or (len(low) > 4 and "g" in said)
            )
        ):
            yield Span(note.starts[index], note.ends[stop], NAME, 4)


_OF_PATIENT = re.compile(
    r" (?:c/o|reports?|states?|denies|is|was|has|presents?|admits|seen|aware|here|came|to)\b|[,.;]"
)


def _is_patient(note: Note, index: int) -> bool:
    """'pt spearing c/o nausea'."""
    is_told = index > 0 and note.words[index - 1].lower() in ("pt", "patient") and note.before(index) in (" ", ". ")
    return is_told and _OF_PATIENT.match(note.text, note.ends[index]) is not None


def _small_end(note: Note, lexicon: Lexicon, index: int) -> int:
    """The last part of a name written small: an initial and words that are none ('patricia m desrosiers')."""
    stop = index
    for following in range(index + 1, min(index + 3, len(note.words))):
        low = note.words[following].lower()
        if note.before(following) not in (" ", ". ", "-") or not low.isalpha():
            break
        if (
            (len(low) > 2 or "F" in lexicon.names.get(low, ""))
            and not lexicon.knows(low)
            and not note.kinds[following] & (lex.MONTH | lex.WEEKDAY | lex.STATE | lex.COUNTRY)
        ):
            stop = following
        elif len(low) > 1 or low in "ai":
            break
    return stop


def _judge_part(note: Note, lexicon: Lexicon, first: int, last: int, before: str, is_shouted: bool) -> Iterator[Span]:
    """A run without a title."""
    while (
        first < last
        and note.words[first].lower() in FUNCTION_WORDS
        and not note.kinds[first] & lex.GIVEN
        and not (note.kinds[first] & lex.LETTER and note.text[note.ends[first]] == ".")
    ):
        first, before = first + 1, note.text[max(0, note.starts[first + 1] - 48) : note.starts[first + 1]]
    strength = [_strength(note, index, is_shouted) for index in range(first, last + 1)]
    after = note.text[note.ends[last] : note.ends[last] + 24]
    is_labelled = before.rstrip()[-1:] in (":", "=") and bool(_LABEL.search(before))
    is_said = False
    if not is_labelled and (strength[0] >= WEAK or last > first):
        is_labelled = is_said = _SAYS_NAME.search(before) is not None
    if is_labelled and note.words[first].lower() not in FUNCTION_WORDS and not IS_COLON.match(after):
        stop = _label_end(note, first, last, strength, may_be_words=is_said and last > first)
        if stop >= first:
            yield Span(note.starts[first], _with_stop(note, stop), NAME, 8)
            first, strength = stop + 1, strength[stop + 1 - first :]
            if first > last:
                return
    if (
        _has_credential(note, last)
        and last - first < 4
        and (max(strength) >= MAYBE or (len(strength) > 1 and not note.kinds[last] & lex.UPPER))
    ):
        yield Span(note.starts[first], note.ends[last], NAME, 8)
        return
    _spread(note, first, strength)
    yield from _name_spans(note, lexicon, first, strength, is_shouted)


_NUMBERED = re.compile(r"[A-ZÀ-Þ][^\W\d_A-Z][^\W\d_]*\d{2,4}")
_NO_VOWEL = re.compile(r"[^aeiouyAEIOUY]{2,5}", re.ASCII)  # Mgmt, Hgb: an abbreviation
STRONG, MAYBE, WEAK, NEVER = 3, 2, 1, 0  # a name; one beside others; a part of one; not one


def _strength(note: Note, index: int, is_shouted: bool) -> int:
    kind, word = note.kinds[index], note.words[index]
    low = word.lower()
    if kind & lex.LETTER:
        is_pronoun = word in "IAO" and note.text[note.ends[index] : note.ends[index] + 1] != "."
        return NEVER if is_pronoun and not _is_initial(note, index) else WEAK
    if not kind & lex.CAP:
        return WEAK if kind & lex.PARTICLE else NEVER
    if kind & (lex.WEEKDAY | lex.COUNTRY) or (kind & lex.MONTH and not kind & lex.NAMES):
        return NEVER
    if kind & lex.STATE and not kind & lex.COMMON:
        return NEVER
    if _NUMBERED.fullmatch(word):  # generated names: Yvone889
        stem = lex.fold(word.rstrip("0123456789"))
        return STRONG if stem in lex.load_lexicon().names or not lex.load_lexicon().knows(stem) else NEVER
    if kind & lex.NAMES:
        if kind & (lex.CLINICAL | lex.WORD | lex.MONTH | lex.STATE | lex.TITLE | lex.FACILITY | lex.STREET | lex.CUE):
            return (
                NEVER if low in FUNCTION_WORDS and not (kind & lex.GIVEN and low in ("will", "may", "date")) else MAYBE
            )
        if kind & lex.UPPER and not is_shouted and (len(word) < 4 or (len(word) < 5 and not kind & lex.COMMON)):
            return MAYBE
        return STRONG
    if kind & (
        lex.CLINICAL
        | lex.WORD
        | lex.FACILITY
        | lex.CREDENTIAL
        | lex.TITLE
        | lex.STREET
        | lex.COMPANY
        | lex.CUE
        | lex.RELATION
    ):
        return NEVER
    if kind & lex.UPPER and (len(word) < 6 or is_shouted or any(map(str.isdigit, word))):
        return WEAK if len(word) > 2 and word.isalpha() else NEVER
    if kind & lex.MIXED or any(map(str.isdigit, word)) or len(word) < 3:
        return WEAK if len(word) > 1 else NEVER
    if _NO_VOWEL.fullmatch(word) and word.isascii():
        return WEAK
    return STRONG  # no dictionary knows it


def _is_initial(note: Note, index: int) -> bool:
    """I, A or O without a full stop, after a name and (but for A) before another: Leena O Sasi."""
    if not index or not note.kinds[index - 1] & lex.NAMES:
        return False
    following = note.kinds[index + 1] if index + 1 < len(note.kinds) else 0
    is_between = following & lex.CAP and not following & lex.UPPER and note.gap(index) == " "
    return note.words[index] == "A" or bool(is_between and not following & lex.WORD)


def _label_end(note: Note, first: int, last: int, strength: list[int], *, may_be_words: bool) -> int:
    """After a label: the words of the same line, up to four, ordinary words only in second place."""
    stop = first - 1
    for index in range(first, min(last, first + 4) + 1):
        kind = note.kinds[index]
        if "\n" in note.before(index) and index > first:
            break
        if strength[index - first] == NEVER and (
            kind & (lex.FACILITY | lex.WEEKDAY | lex.MONTH)
            or note.words[index].lower() in FUNCTION_WORDS
            or (index == first and not may_be_words)
        ):
            break
        stop = index
    return stop


def _has_credential(note: Note, last: int) -> bool:
    """', MD' or ' RN' right after the run, or as its last word."""
    if last + 1 >= len(note.words):
        return False
    gap, word, kind = note.before(last + 1), note.words[last + 1], note.kinds[last + 1]
    if word in ("M", "D", "R") and re.match(
        r",? ?(?:M\. ?D\.|D\. ?O\.|R\. ?N\.|Ph\. ?D)", note.text[note.ends[last] : note.ends[last] + 8]
    ):
        return True
    return bool(kind & lex.CREDENTIAL and word.isupper() and len(word) > 1 and _COMMA.match(gap))


def _spread(note: Note, first: int, strength: list[int]) -> None:
    """A name makes its neighbours one: initials, particles, names that are also words, unknown words."""
    count = len(strength)
    kinds = note.kinds[first : first + count]
    for place in range(count - 1):  # two names that are also words stand for a person: Grant Young, Will Price
        if (
            strength[place] == MAYBE
            and strength[place + 1] == MAYBE
            and kinds[place] & lex.GIVEN
            and kinds[place + 1] & lex.FAMILY
        ):
            pair = (note.words[first + place].lower(), note.words[first + place + 1].lower())
            is_eponym = (
                pair in TWO_EPONYMS
                or (kinds[place] & kinds[place + 1] & lex.CLINICAL and not kinds[place] & lex.FIRST)
                or kinds[place] & lex.FACILITY
            )
            if not is_eponym and _same_line(note, first + place):
                strength[place] = strength[place + 1] = STRONG
        if (
            kinds[place] & lex.GIVEN
            and strength[place] == MAYBE
            and kinds[place + 1] & lex.LETTER
            and _same_line(note, first + place)
        ):
            after = note.text[note.ends[first + place + 1] : note.ends[first + place + 1] + 1]
            if after == "." or kinds[place] & lex.COMMON:
                strength[place] = STRONG
    for place in range(
        1, count
    ):  # Daniela C Capon, Stephan Urner: a word after a given name and an initial, or one by its ending only
        if (
            strength[place] == NEVER
            and kinds[place] & lex.WORD
            and _same_line(note, first + place - 1)
            and not kinds[place] & lex.UPPER
        ):
            if (
                kinds[place - 1] & lex.LETTER
                and place > 1
                and kinds[place - 2] & lex.GIVEN
                and strength[place - 2] == STRONG
            ):
                strength[place - 1] = strength[place] = STRONG
            elif (
                kinds[place] & lex.DERIVED
                and kinds[place - 1] & lex.GIVEN
                and strength[place - 1] == STRONG
                and note.words[first + place].lower() not in FUNCTION_WORDS
            ):
                strength[place] = STRONG
    for step in (range(1, count), range(count - 2, -1, -1)):
        for place in step:
            beside = place - 1 if step.step > 0 else place + 1
            if (
                strength[beside] == STRONG
                and strength[place] in (WEAK, MAYBE)
                and _same_line(note, first + min(place, beside))
            ):
                if (
                    kinds[place] & (lex.CREDENTIAL | lex.STATE | lex.FACILITY)
                    and not kinds[place] & lex.LETTER
                    and note.words[first + place].isupper()
                ):
                    continue
                if (
                    strength[place] == WEAK
                    and not kinds[place] & (lex.LETTER | lex.PARTICLE)
                    and kinds[place] & lex.UPPER
                    and not kinds[beside] & lex.UPPER
                ):
                    continue
                if kinds[place] & lex.PARTICLE and not kinds[place] & lex.CAP and not 0 < place < count - 1:
                    continue
                if (
                    kinds[place] & lex.PARTICLE
                    and step.step > 0
                    and place + 1 < count
                    and strength[place + 1] == NEVER
                    and kinds[place + 1] & lex.WORD
                    and kinds[beside] & lex.NAMES
                ):
                    strength[place + 1] = STRONG  # Willemine ten Pas
                strength[place] = STRONG


def _same_line(note: Note, index: int) -> bool:
    return "\n" not in note.gap(index)


def _name_spans(note: Note, lexicon: Lexicon, first: int, strength: list[int], is_shouted: bool) -> Iterator[Span]:
    place, count = 0, len(strength)
    while place < count:
        if strength[place] < MAYBE:
            place += 1
            continue
        stop = place
        while stop + 1 < count and strength[stop + 1] == strength[place] and _same_line(note, first + stop):
            stop += 1
        index, end = first + place, first + stop
        is_name = (
            not is_term(note, index, end) if strength[place] == STRONG else _alone_is_name(note, index, end, is_shouted)
        )
        if is_name:
            yield Span(note.starts[index], _with_stop(note, end), _class_of(note, index, end), 5)
        place = stop + 1


def _alone_is_name(note: Note, first: int, last: int, is_shouted: bool) -> bool:
    """One word that is both a name and something else: the sentence must speak for the name."""
    kind, word = note.kinds[last], note.words[last]
    before = note.text[max(0, note.starts[first] - 24) : note.starts[first]]
    after = note.text[note.ends[last] : note.ends[last] + 24]
    if kind & lex.UPPER and (not is_shouted or len(word) < 5):
        return False
    if (
        IS_COLON.match(after)
        and kind & lex.FIRST
        and not kind & lex.CLINICAL
        and re.match(r"\s?: ?[\"“A-Z]", after)
        and (before == "" or before[-1:] in '\n"“')
    ):
        return True  # a speaker
    if is_term(note, first, last) or IS_COLON.match(after) or DOSE.match(after):
        return False
    if not kind & lex.COMMON:
        return False
    if first == last and kind & lex.FAMILY and (_PER.search(before) and _PER_AFTER.match(after) or _MOVED.match(after)):
        return True
    if (
        _VERB_AFTER.match(after)
        and kind & (lex.GIVEN | lex.FAMILY)
        and word.lower() not in ("will", "may", "art", "son", "son", "man", "general", "major", "long")
    ):
        return bool(kind & lex.GIVEN) or not _SENTENCE_END.search(before)
    is_mid_sentence = (
        not _SENTENCE_END.search(before) and before[-1:] == " " and (before[-2:-1].isalnum() or before[-2:-1] == ",")
    )
    if (
        re.search(r"[A-Z][\w'’]+(?: and|,) $", before)
        and note.kinds[first - 2] & lex.NAMES
        and not note.kinds[first - 2] & (lex.WORD | lex.CLINICAL)
    ):
        return True
    previous = note.kinds[first - 1] if first else 0
    if (
        kind & lex.FIRST
        and (
            previous & lex.RELATION
            or (first and note.words[first - 1].lower() in ("kid", "child", "baby", "twin", "boy", "girl"))
        )
        and before[-1:] == " "
    ):
        return True
    if first and note.words[first - 1].lower() in FUNCTION_WORDS:
        previous = 0
    following = note.words[last + 1] if last + 1 < len(note.words) else ""
    if previous & lex.CAP or (following[:1].isupper() and after[:1] == " "):
        return False  # a word of a title or heading
    if kind & (lex.CLINICAL | lex.MONTH | lex.STATE | lex.FACILITY | lex.STREET | lex.CUE | lex.TITLE):
        return False
    return is_mid_sentence


def _class_of(note: Note, first: int, last: int) -> str:
    before = note.text[max(0, note.starts[first] - 32) : note.starts[first]]
    has_name = any(kind & lex.NAMES for kind in note.kinds[first : last + 1])
    if _COMPANY_CUE.search(before) and not any(kind & lex.GIVEN for kind in note.kinds[first : last + 1]):
        return ORGANIZATION
    if not has_name and _PLACE_CUE.search(before):
        return LOCATION
    if _AT.search(before) and not any(kind & lex.GIVEN for kind in note.kinds[first : last + 1]):
        return LOCATION
    return NAME
