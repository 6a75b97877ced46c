"""What every word of a note may be: one dictionary lookup a word, remembered.

A word's kind is a set of bits; 0 is an ordinary word written small, which nobody looks at again.
"""

from __future__ import annotations

import gzip
import re
import unicodedata
from functools import lru_cache
from pathlib import Path

from include.privacy.text import vocabulary

DICTIONARIES = Path(__file__).parent / "dictionaries"

CAP, UPPER, LETTER, DIGIT = 1, 2, 4, 8  # Capital first; ALL CAPITALS; a single capital; begins with a digit
WORD, GIVEN, FAMILY, COMMON = 16, 32, 64, 128  # in the vocabulary; a given, a family name; a frequent one
CLINICAL, PLACE, MONTH, WEEKDAY = 256, 512, 1024, 2048
TITLE, CREDENTIAL, PARTICLE, STREET = 4096, 8192, 16384, 32768
FACILITY, STATE, CUE, COMPANY = 65536, 131072, 262144, 524288
RELATION, COUNTRY, MIXED, DERIVED = (
    1048576,
    2097152,
    4194304,
    8388608,
)  # capitals inside, as LigaSure; a word by its ending only
FIRST = 16777216  # a frequent given name
NAMES = GIVEN | FAMILY

_MOST_REMEMBERED = 300_000
_LONGEST_WORD = 50  # what is longer is no word, and costs too much to look at
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ß": "ss", "ı": "i"})
_NOT_PLAIN = re.compile(r"[^\x00-\x7f]")
_MEDICAL = re.compile(
    r"(?:it[ie]s|oses|osis|otic|omas?|ectom(?:y|ies)|otom(?:y|ies)|ostom(?:y|ies)|scop(?:y|ies|ic|e)|graph(?:y|ic|ies)|grams?"
    r"|(?:gly|an|ur|ox|tox|lip|septic|kal|natr|calc)a?emi[ac]|uria|algia|path(?:y|ies|ic)|plast(?:y|ies)|pexy|rrh(?:ea|agia|aphy)|lysis|lytic"
    r"|desis|centesis|olog(?:y|ic|ical|ist|ists|ies)|icteric|aneous|cillin|azole|pril|sartan|statin|[ct]inib|[mz]umab|imab|oxacin|mycin"
    r"|cycline|prazole|olol|dipine|gliptin|gliflozin|triptan|caine|barbital|azepam|tidine|parin|stigmine|curium|penem|ability|ational"
    r"|ically|tomic|metry|metric|therapy|sclerosis|stenosis|cardial|vascular|cellular|pulmonary|abdominal|cervical|operative|trophic"
    r"|trophy|megaly|plegia|paresis|phagia|phasia|pnea|pneic|emesis|lithiasis|malacia|schisis|version|tension|tensive|flexion|duction"
    r"|fusion|tubation|section|duct|bacter|coccus|cocci|mural|dermal|cutaneous|venous|arterial|orbital|nasal|rectal|vesical|ureteral|urethral|costal)$"
)
_PREFIX = re.compile(
    r"^(?:non|tele|post|pre|peri|trans|endo|hyper|hypo|intra|inter|sub|supra|infra|micro|macro|multi|bi|uni|tri|anti|contra|retro|extra|ultra|neuro"
    r"|cardio|gastro|hepato|osteo|arthro|electro|echo|angio|cranio|thoraco|broncho|naso|oro|antero|postero|infero|supero|medio|latero|dorsi|ventro"
    r"|meso|para|epi|auto|re|un|de|dis|in|over|under|semi|poly|mono|mal|co)"
)
_SUFFIXES = (
    ("s", ("",)), ("es", ("",)), ("ed", ("", "e")), ("ing", ("", "e")), ("ly", ("",)), ("er", ("", "e")), ("ers", ("", "e")),
    ("ness", ("",)), ("ies", ("y",)), ("ied", ("y",)), ("ally", ("",)), ("al", ("", "e")), ("out", ("",)), ("down", ("",)),
)  # fmt: skip
_DOUBLED = re.compile(r"(.)\1(?:ed|ing|er)$")
_CONTRACTION = re.compile(
    r"^(?:i|you|he|she|it|we|they|that|there|who|what|where|how|let|\w+n|c|ma|o|d|y)['’](?:m|ll|d|ve|re|s|t|mon|am|clock|all)$|^[a-z]{1,4}['’]d$"
)
_CAMEL = re.compile(r"^(?:Mc|Mac|De|Di|Du|La|Le|Lo|Van|Von|Fitz|St|O|D|Al|El|Ben|Del|Della|Mary|Jo)[A-Z][a-z]+$")


def fold(word: str) -> str:
    """Lower case without accents: ``"José"`` → ``"jose"``, ``"Sørensen"`` → ``"sorensen"``."""
    word = word.lower()
    if not _NOT_PLAIN.search(word):
        return word
    plain = unicodedata.normalize("NFKD", word.translate(_LETTERS))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


class Lexicon(dict):
    """Word as written -> its kind. Filled as words are met; forgets everything when it grows too large."""

    def __init__(self) -> None:
        super().__init__()
        self.words = frozenset(_lines("words.txt.gz"))
        self.names = dict(line.split() for line in _lines("names.txt.gz"))
        clinical = [line for line in (DICTIONARIES / "clinical.txt").read_text().splitlines() if line[:1] != "#"]
        self.clinical = frozenset(word for line in clinical for word in line.split())
        self._clinical_folded = frozenset(map(fold, self.clinical))
        self.places = frozenset(_lines("places.txt.gz")) | vocabulary.PLACE_NICKNAMES
        self._place_first = frozenset(place.split()[0].lower() for place in self.places)
        self.places_folded = frozenset(place.lower() for place in self.places)

    def __missing__(self, word: str) -> int:
        if len(self) > _MOST_REMEMBERED:
            self.clear()
        kind = self[word] = self._kind(word)
        return kind

    def knows(self, low: str) -> bool:
        """True of a word of the vocabulary, inflected or compounded (``"nondistended"``), or shaped like a clinical term."""
        return self._is_word(low) or (len(low) > 6 and (_MEDICAL.search(low) is not None or self._is_compound(low)))

    def _is_word(self, low: str, depth: int = 2) -> bool:
        if low in self.words:
            return True
        for suffix, instead in _SUFFIXES if depth else ():
            if low.endswith(suffix) and len(low) - len(suffix) >= 3:
                stem = low[: -len(suffix)]
                if any(self._is_word(stem + letter, depth - 1) for letter in instead):
                    return True
        return _DOUBLED.search(low) is not None and _DOUBLED.sub(r"\1", low) in self.words

    def _is_compound(self, low: str) -> bool:
        found = _PREFIX.match(low)
        return found is not None and len(low) - found.end() >= 4 and self._is_word(low[found.end() :])

    def _kind(self, word: str) -> int:
        if word[0].isdigit():
            return DIGIT
        low = fold(word)
        if ("'" in word or "’" in word) and _CONTRACTION.match(low):
            return 0
        if len(word) > _LONGEST_WORD:
            return self._shape(word)
        kind = vocabulary.ROLES.get(low, 0)
        kind |= self._shape(word)
        said = self.names.get(low, "")
        if said:
            kind |= (GIVEN if "G" in said or "g" in said else 0) | (FAMILY if "F" in said or "f" in said else 0)
            kind |= (COMMON if "G" in said or "F" in said else 0) | (FIRST if "G" in said else 0)
        if not kind & (CAP | NAMES):
            return kind & vocabulary.ROLE_BITS
        known = self.knows(low if word.isascii() else word.lower())  # Bašić is not the word basic
        if not kind & CAP:
            # An ordinary word written small is nothing; a name written small is one that is no word at all.
            return kind & vocabulary.ROLE_BITS if known else kind & ~0x3 if kind & (vocabulary.ROLE_BITS | NAMES) else 0
        if known:
            kind |= WORD if low in self.words else WORD | DERIVED
        if word in self.clinical or (low in self._clinical_folded and (kind & UPPER or not kind & NAMES)):
            kind |= CLINICAL
        if low in self._place_first:
            kind |= PLACE
        return kind

    def _shape(self, word: str) -> int:
        if not word[0].isupper():
            return 0
        if len(word) == 1:
            return CAP | UPPER | LETTER
        if word.isupper():
            return CAP | UPPER
        return CAP | (MIXED if not word[1:].islower() and not _is_name_like(word) else 0)


def _is_name_like(word: str) -> bool:
    """Names with capitals or apostrophes inside: McBurney, DeShawn, O'Brien; not LigaSure."""
    return _CAMEL.match(word) is not None or "'" in word or "’" in word or not word.isascii()


def _lines(name: str) -> list[str]:
    return gzip.decompress((DICTIONARIES / name).read_bytes()).decode().split("\n")


@lru_cache(maxsize=1)
def load_lexicon() -> Lexicon:
    """The dictionaries, read once a process (about 60 ms, 15 MB)."""
    return Lexicon()
