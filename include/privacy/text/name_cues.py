"""What the text around a run of words says of it: that a name follows, that a clinician signs, that it is a place or a company."""

from __future__ import annotations

import re

from include.privacy.text import lexicon as lex
from include.privacy.text.reading import Note
from include.privacy.text.spans import LOCATION, NAME, ORGANIZATION

_REACH_OF_CLASS = 32
_COMMA = re.compile(r", {0,2}$")
_LABEL = re.compile(
    r"(?:\b(?:patient(?:'s)?(?: name)?|pt(?: name)?|name(?: of patient)?|first name|last name|surname|full name|maiden name|middle name|given name|family name|"
    r"attending(?: physician)?|consults?|physician|provider|surgeon|assistant|anesthesiologist|pcp|primary care (?:physician|provider)|referring (?:physician|provider|md)|consultant|consulting physician|"
    r"dictated by|transcribed by|signed by|reviewed by|authenticated by|verified by|ordered by|performed by|seen by|attested by|entered by|interpreted by|author|house ?staff|fellow|resident|intern|social worker|case ?worker|case manager|hygienist|technician|technologist|doula|midwife|coordinator|nanny|teacher|supervisor|nurse|therapist|"
    r"emergency contact|next of kin|nok|contact(?: person)?|guardian|guarantor|subscriber|insured|responsible party|spouse|mother|father|wife|husband|daughter|son|sister|brother|friend|poa|hcp|proxy|"
    r"witness|interpreter|informant|historian|employer|client|member|user|attn|dear)\s?(?:\([^)\n]{0,20}\))?\s?[:=]\s{0,4})$",
    re.IGNORECASE,
)
_SAYS_NAME = re.compile(
    r"(?:\b(?:named|called|said|says|asked|told|i'm|i am|this is|hi|hello|hey|dear|call(?:s|ed)? me|name is|name was|names? are|your (?:(?:first|last|full|maiden|middle) )?name\?|known as|goes by|aka|a\.k\.a\.|née|nee|formerly|signed,?|sincerely,?|regards,?|dictated by|signed by|seen by|evaluated by|examined by|followed by dr\.?|accompanied by|"
    r"(?:his|her|their|the patient's|my|pt's|patient's) (?:wife|husband|spouse|mother|father|mom|dad|son|daughter|brother|sister|aunt|uncle|partner|friend|caregiver|guardian|nurse|fiancée?|boyfriend|girlfriend|roommate|niece|nephew|cousin|"
    r"grandmother|grandfather|grandson|granddaughter|neighbor|doctor|physician|surgeon|pcp|cardiologist|oncologist|therapist),?)\s{1,2})$",
    re.IGNORECASE,
)
_PLACE_CUE = re.compile(
    r"\b(?:at|in|from|near|to|outside|visiting|around|of|via|within|between|across|through|leaving|into|toward|city|town|county|village|downtown|north|south|east|west|northern|southern|eastern|western)\s(?:the\s)?$",
    re.IGNORECASE,
)
_AT = re.compile(
    r"\b(?:at|admitted to|transferred (?:to|from)|referred (?:to|from)|discharged (?:to|from)|visited|presented to|lives (?:alone |with family )?in|living in|resid(?:es|ing) (?:in|at)|moved (?:to|from)|born in|flew (?:to|from))\s(?:the\s)?$",
    re.IGNORECASE,
)
_COMPANY_CUE = re.compile(
    r"\b(?:works? (?:at|for)|worked (?:at|for)|working (?:at|for)|employed (?:by|at)|employer:?|job at|hired by|retired from|company|firm)\s(?:the\s)?$",
    re.IGNORECASE,
)
_SPELT_CREDENTIAL = re.compile(r",? ?(?:M\. ?D\.|D\. ?O\.|R\. ?N\.|Ph\. ?D)")


def follows_label(before: str) -> bool:
    """Does the text before a run end in a label, as 'Patient: ' or 'Dictated by: '?"""
    return before.rstrip()[-1:] in (":", "=") and _LABEL.search(before) is not None


def is_introduced(before: str) -> bool:
    """Does the text before a run end in words that a name follows, as 'is called ' or 'his wife, '?"""
    return _SAYS_NAME.search(before) is not None


def has_credential(note: Note, last: int) -> bool:
    """', MD' or ' M.D.' right after the run."""
    following = last + 1
    if following >= len(note.words):
        return False
    word = note.words[following]
    if word in ("M", "D", "R") and _SPELT_CREDENTIAL.match(note.text[note.ends[last] : note.ends[last] + 8]):
        return True
    is_credential = note.kinds[following] & lex.CREDENTIAL and word.isupper() and len(word) > 1
    return bool(is_credential and _COMMA.match(note.before(following)))


def class_of(note: Note, first: int, last: int) -> str:
    """NAME, unless no given name is in it and the words before say: works for Zorvath, lives in Quelbrin, admitted to Hauta."""
    kinds = note.kinds[first : last + 1]
    if any(kind & lex.GIVEN for kind in kinds):
        return NAME
    before = note.text[max(0, note.starts[first] - _REACH_OF_CLASS) : note.starts[first]]
    if _COMPANY_CUE.search(before):
        return ORGANIZATION
    is_unlisted = not any(kind & lex.NAMES for kind in kinds)
    if (is_unlisted and _PLACE_CUE.search(before)) or _AT.search(before):
        return LOCATION
    return NAME
