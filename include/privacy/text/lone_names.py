"""A word that is both a name and something else, with no sure name beside it: the sentence must speak for the name."""

from __future__ import annotations

import re

from include.privacy.text import lexicon as lex
from include.privacy.text.reading import Note
from include.privacy.text.terms import DOSE, IS_COLON, is_term
from include.privacy.text.vocabulary import FUNCTION_WORDS

_REACH = 24  # characters of the sentence that are looked at on each side
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
_QUOTED_OR_CAPITAL = re.compile(r"\s?: ?[\"“A-Z]")
_AFTER_LISTED = re.compile(r"[A-Z][\w'’]+(?: and|,) $")
_ASKED = re.compile(r", (?:can|could|would|will|do|did|are|have) (?:I|you|we)\b|, (?:please|pls|plz|thank you)\b")
_ROLE_BEHIND = re.compile(
    r" \((?:(?:his|her|pt's|the) )?(?:(?:charge |bedside |night )?nurse|rn|lpn|np|pa|md|do|pharmd|aide|cna|son|daughter|wife|husband|mother|father|mom|dad|sister|brother|"
    r"niece|nephew|cousin|friend|partner|caregiver|neighbor|hcp|poa|interpreter|social worker|case manager)[,;)]",
    re.IGNORECASE,
)
_CALLED_IN_BRACKETS = re.compile(r"\bname \([\"“]?$")
_CLINICIAN_BEFORE = re.compile(r"\b(?:RN|LPN|LVN|CNA|PCA|RRT|MSW|LCSW|LICSW) $")
_CHILDREN = re.compile(r"\b(?:kids|children|sons|daughters|grandchildren|siblings|brothers|sisters) ?[(:,] ?$")
_AGED = re.compile(r",? \(?\d{1,2}\b")
_TALKED = re.compile(
    r"\b(?:[Dd]iscussed|[Ss]poke|[Ss]poken|[Tt]alked|[Cc]onferred|[Rr]eviewed|[Mm]et|[Vv]isited) (?:case |plan |this )?with $"
)
_SENTENCE_OR_CLAUSE_ENDS = re.compile(r"\s?(?:[.,;]|\n|$| who | about | regarding | at | and )")
_ALSO_SUBJECTS = (
    "will",
    "may",
    "art",
    "son",
    "man",
    "general",
    "major",
    "long",
)  # words of which the same verbs are said: 'May was', 'General is'
_CHILD_WORDS = ("kid", "child", "baby", "twin", "boy", "girl")
_RATHER_SOMETHING_ELSE = lex.CLINICAL | lex.MONTH | lex.STATE | lex.FACILITY | lex.STREET | lex.CUE | lex.TITLE


def is_lone_name(note: Note, first: int, last: int, is_shouted: bool) -> bool:
    """Does the sentence take these words, most often one, for a person? ``is_shouted``: the note is in capitals throughout."""
    kind, word = note.kinds[last], note.words[last]
    if kind & lex.UPPER and (not is_shouted or len(word) < 5):
        return False
    before = note.text[max(0, note.starts[first] - _REACH) : note.starts[first]]
    after = note.text[note.ends[last] : note.ends[last] + _REACH]
    if _is_speaker(kind, before, after):
        return True
    if first == last and kind & lex.GIVEN and _is_spoken_to(before, after):
        return True
    if not kind & lex.COMMON or IS_COLON.match(after) or DOSE.match(after) or is_term(note, first, last):
        return False
    if first == last and not kind & lex.UPPER and _is_told_apart(before, after):
        return True
    if kind & lex.GIVEN and _CLINICIAN_BEFORE.search(before):
        return True
    if first == last and kind & lex.FAMILY and _is_told_of_people(before, after):
        return True
    if word.lower() not in _ALSO_SUBJECTS and _VERB_AFTER.match(after):
        return bool(kind & lex.GIVEN) or not _SENTENCE_END.search(before)
    if _is_listed_after_name(note, first, before) or (kind & lex.NAMES and _is_relative(note, first, before)):
        return True
    if kind & _RATHER_SOMETHING_ELSE or _is_of_heading(note, first, last, after):
        return False
    return _is_mid_sentence(before)


def _is_speaker(kind: int, before: str, after: str) -> bool:
    """'Grace: "I fell"' at the beginning of a line."""
    if not kind & lex.FIRST or kind & lex.CLINICAL:
        return False
    return (before == "" or before[-1:] in '\n"“') and _QUOTED_OR_CAPITAL.match(after) is not None


def _is_spoken_to(before: str, after: str) -> bool:
    """'Grace, can you hear me', 'Remember me, Grace?'"""
    begins = _SENTENCE_END.search(before) is not None and _ASKED.match(after) is not None
    return begins or (before.endswith(", ") and after[:1] in ("?", "!"))


def _is_told_apart(before: str, after: str) -> bool:
    """'Bell (nurse)', 'her name (Melody)', 'Ada, 9 and Chidi, 12', 'Discussed with Murphy.'"""
    if (
        _ROLE_BEHIND.match(after)
        or _CALLED_IN_BRACKETS.search(before)
        or (_CHILDREN.search(before) and _AGED.match(after))
    ):
        return True
    return _TALKED.search(before) is not None and _SENTENCE_OR_CLAUSE_ENDS.match(after) is not None


def _is_told_of_people(before: str, after: str) -> bool:
    """'Per Rice, continue', 'Rice was extubated'."""
    is_source = _PER.search(before) and _PER_AFTER.match(after)
    return bool(is_source or _MOVED.match(after))


def _is_listed_after_name(note: Note, first: int, before: str) -> bool:
    """'Desmond and Grace', 'Desmond, Grace'."""
    listed = _AFTER_LISTED.search(before)
    place = first - (1 if before.endswith(", ") else 2)
    if not listed or place < 0:
        return False
    beside = note.kinds[place]
    return bool(beside & lex.NAMES) and not beside & (lex.WORD | lex.CLINICAL)


def _is_relative(note: Note, first: int, before: str) -> bool:
    """'her husband Bill', 'baby Grace'."""
    if not first or before[-1:] not in (" ", "(") or (before[-1] == "(" and note.kinds[first] & lex.CLINICAL):
        return False
    return bool(note.kinds[first - 1] & lex.RELATION) or note.words[first - 1].lower() in _CHILD_WORDS


def _is_of_heading(note: Note, first: int, last: int, after: str) -> bool:
    """A word of a title or heading, for another capital stands beside it: 'Rich Text'."""
    if first and note.kinds[first - 1] & lex.CAP and note.words[first - 1].lower() not in FUNCTION_WORDS:
        return True
    following = note.words[last + 1] if last + 1 < len(note.words) else ""
    return following[:1].isupper() and after[:1] == " "


def _is_mid_sentence(before: str) -> bool:
    """'…, Grace ' or '… with Grace ', where no sentence begins and a capital therefore means something."""
    follows_word = before[-1:] == " " and (before[-2:-1].isalnum() or before[-2:-1] == ",")
    return follows_word and not _SENTENCE_END.search(before)
