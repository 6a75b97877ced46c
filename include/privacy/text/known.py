"""What the platform knows of a patient, matched in the forms that people write it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from include.privacy.text import lexicon as lex
from include.privacy.text.lexicon import fold
from include.privacy.text.nicknames import other_forms
from include.privacy.text.reading import Note
from include.privacy.text.spans import DATE, ID, LOCATION, NAME, Span
from include.privacy.text.vocabulary import CREDENTIALS, FUNCTION_WORDS, PARTICLES, TERM_AFTER, TITLES

_PARTS = re.compile(r"[^\W\d_][^\W_]*")
_SEPARATORS = str.maketrans("", "", "-–. ()/_+#:\t\n\r\v\f\u00a0")
_BETWEEN = r"[-–. ()/_+\s]{0,3}"
_GAP = re.compile(_BETWEEN)
_DATE_PARTS = re.compile(r"(\d{4})\D(\d{1,2})\D(\d{1,2})")
_STREET_FORMS = {
    "street": "st", "avenue": "ave", "boulevard": "blvd", "road": "rd", "drive": "dr", "lane": "ln", "court": "ct", "place": "pl", "terrace": "ter", "circle": "cir",
    "parkway": "pkwy", "highway": "hwy", "apartment": "apt", "suite": "ste", "north": "n", "south": "s", "east": "e", "west": "w", "square": "sq", "trail": "trl",
}  # fmt: skip
_SHORT_TO_LONG = {short: long for long, short in _STREET_FORMS.items()}
_TYPO_FROM = 5  # letters; a shorter name is too near to other words


@dataclass(frozen=True, slots=True)
class Known:
    """A patient's identifiers, ready to be looked up. Build it once a patient with ``know``."""

    parts: frozenset[str] = frozenset()
    long_parts: tuple[str, ...] = ()
    initials: frozenset[str] = frozenset()
    identifiers: tuple[str, ...] = ()
    addresses: tuple[tuple[str, ...], ...] = ()
    dates: tuple[str, ...] = ()
    particles: frozenset[str] = frozenset()
    _deletions: Mapping[str, str] = field(default_factory=dict)


def know(
    names: Iterable[str] = (), identifiers: Iterable[str] = (), addresses: Iterable[str] = (), dates: Iterable[str] = ()
) -> Known:
    """Prepare what is known: names of the patient, relatives and providers; numbers and contacts; address lines, towns; ISO dates."""
    names = [name for name in names if isinstance(name, str)]
    parts, initials, particles = set(), set(), set()
    for name in names:
        words = [fold(word) for word in _PARTS.findall(name)]
        words = [word for word in words if word not in TITLES and word not in CREDENTIALS]
        parts.update(word for word in words if len(word) > 1 and word not in PARTICLES)
        parts.update(
            word for word in words[-1:] if len(word) > 1
        )  # Le, Van and Do are family names where they stand last
        particles.update(word for word in words[:-1] if word in PARTICLES)
        if len(words) > 1:
            initials.add("".join(word[0] for word in words))
            parts.add("".join(words[-2:]))
    parts |= {form for part in parts for form in other_forms(part)}
    return Known(
        parts=frozenset(parts),
        long_parts=tuple(sorted(part for part in parts if len(part) >= _TYPO_FROM)),
        initials=frozenset(each for each in initials if 2 <= len(each) <= 4),
        identifiers=tuple(
            {text for text in identifiers if isinstance(text, str) and len(text.translate(_SEPARATORS)) >= 4}
        ),
        addresses=tuple({tuple(_words(text)) for text in addresses if isinstance(text, str)}),
        dates=tuple({text for text in dates if isinstance(text, str)}),
        particles=frozenset(particles),
        _deletions={form: part for part in parts if len(part) >= _TYPO_FROM for form in _shortened(part)},
    )


def find_known(note: Note, known: Known) -> Iterator[Span]:
    """Where the patient's own identifiers stand in a text."""
    yield from _names(note, known)
    if known.initials:
        yield from _initials(note.text, known)
    if known.identifiers:
        yield from _identifiers(note.text, known)
    if known.addresses:
        yield from _addresses(note, known)
    for day in known.dates:
        yield from _day(note.text, day)


def _names(note: Note, known: Known) -> Iterator[Span]:
    if not known.parts:
        return
    last_end, last = -9, -9
    for index, word in enumerate(note.words):
        low = word.lower() if word.isascii() else fold(word)
        is_known = low in known.parts or (
            ("'" in low or "’" in low) and low.replace("'", "").replace("’", "") in known.parts
        )
        if not is_known:
            kind = note.kinds[index]
            # An unknown word one slip away from a name: written with a capital, or next to a name.
            if (
                _TYPO_FROM - 1 <= len(low) <= 40
                and not kind & (lex.WORD | lex.DIGIT)
                and (kind & lex.CAP or index == last + 1)
                and _is_slip(low, known)
            ):
                yield Span(note.starts[index], note.ends[index], NAME, 9)
                last_end, last = note.ends[index], index
            continue
        is_beside = index == last + 1
        if low in FUNCTION_WORDS and not (note.kinds[index] & lex.CAP and (len(low) > 2 or is_beside)):
            continue  # 'will' of Will, 'he' of Mrs He
        if not note.kinds[index] & lex.CAP and _is_ordinary(note, index, low) and index != last + 1:
            continue
        if _speaks_of_something_else(note, index):
            continue
        start = (
            last_end
            if index == last + 1 and note.text[last_end : note.starts[index]] in (" ", ", ", "-")
            else note.starts[_with_particles(note, index, known)]
        )
        if index != last + 1 and _is_known_though_a_word(note, index - 1, known):
            start = min(start, note.starts[index - 1])
        yield Span(start, note.ends[index], NAME, 9)
        last_end, last = note.ends[index], index


def _is_known_though_a_word(note: Note, index: int, known: Known) -> bool:
    """The 'An' of Mrs An Le, before her other name."""
    if index < 0 or not note.kinds[index] & lex.CAP or note.gap(index) not in (" ", ", ", "-"):
        return False
    return note.words[index].lower() in known.parts


def _with_particles(note: Note, index: int, known: Known) -> int:
    """Where a name begins: 'de la' of Mrs de la Cruz goes with it, however it is written."""
    while index and note.words[index - 1].lower() in known.particles and note.gap(index - 1) == " ":
        index -= 1
    return index


def _is_ordinary(note: Note, index: int, low: str) -> bool:
    """A name that is also a word, written small, is the word."""
    return note.kinds[index] & (lex.NAMES | lex.WORD) == 0 and (note.kinds[index] != 0 or lex.load_lexicon().knows(low))


def _speaks_of_something_else(note: Note, index: int) -> bool:
    """'White blood cells' of Mrs White, 'Bell's palsy' of Mr Bell: a term whoever the patient is."""
    following = note.words[index + 1].lower() if index + 1 < len(note.words) else ""
    return (
        bool(note.kinds[index] & (lex.WORD | lex.CLINICAL))
        and note.gap(index) in (" ", "-")
        and following in TERM_AFTER
    )


def _shortened(word: str) -> Iterator[str]:
    yield word
    for place in range(len(word)):
        yield word[:place] + word[place + 1 :]


def _is_slip(low: str, known: Known) -> bool:
    """One letter left out, added, changed, or two swapped (Damerau-Levenshtein 1), from names of five letters on."""
    if not known._deletions:
        return False
    if low in known._deletions:
        return True
    return any(
        form in known._deletions and abs(len(known._deletions[form]) - len(low)) <= 1 for form in _shortened(low)
    )


def _initials(text: str, known: Known) -> Iterator[Span]:
    """J.S. and J. S. (without full stops two letters say too little)."""
    for found in re.finditer(r"\b(?:[A-Z]\.\s?){2,4}", text):
        if fold("".join(filter(str.isalpha, found[0]))) in known.initials:
            yield Span(found.start(), found.start() + len(found[0].rstrip()), NAME, 9)


def _identifiers(text: str, known: Known) -> Iterator[Span]:
    squeezed = text.translate(_SEPARATORS).lower()
    places: list[int] = []
    for identifier in known.identifiers:
        for form in _forms(identifier.translate(_SEPARATORS).lower()):
            if len(form) >= 4 and form in squeezed:
                places = places or [place for place, letter in enumerate(text) if ord(letter) not in _SEPARATORS]
                for start, end in _written_apart(text, squeezed, places, form):
                    yield Span(start, end, _class_of(identifier), 6)


def _forms(plain: str) -> set[str]:
    """An identifier as people shorten it: without the country's 1, without leading zeros."""
    forms = {plain}
    if plain.isdigit() and len(plain) in (11, 13) and plain[0] == "1":
        forms.add(plain[1:])
    if plain.isdigit() and len(plain) > 5:
        forms.add(plain.lstrip("0"))
    return forms


def _written_apart(text: str, squeezed: str, places: Sequence[int], form: str) -> Iterator[tuple[int, int]]:
    """Where a form stands in the text, up to three separators between any two of its letters and none of theirs around it.

    ``squeezed`` is the text without separators, ``places`` where its letters stand. A pattern a form would have to be compiled,
    which costs more than reading the note.
    """
    if len(squeezed) != len(places):  # a letter whose small form is two: their places cannot be told
        pattern = _BETWEEN.join(map(re.escape, form))
        yield from (found.span() for found in re.finditer(rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])", text, re.I))
        return
    at = squeezed.find(form)
    while at >= 0:
        own = places[at : at + len(form)]
        start, end = own[0], own[-1] + 1
        is_whole = not _is_letter(text[start - 1 : start]) and not _is_letter(text[end : end + 1])
        found = is_whole and all(
            two == one + 1 or _GAP.fullmatch(text, one + 1, two) for one, two in zip(own, own[1:], strict=False)
        )
        if found:
            yield start, end
        at = squeezed.find(form, at + (len(form) if found else 1))


def _is_letter(character: str) -> bool:
    return character.isascii() and character.isalnum()


def _class_of(identifier: str) -> str:
    return "EMAIL" if "@" in identifier else ID


def _words(text: str) -> Iterator[str]:
    for word in re.findall(r"[^\W_]+", fold(text)):
        yield _SHORT_TO_LONG.get(word, word)


def _addresses(note: Note, known: Known) -> Iterator[Span]:
    """Address lines word by word, abbreviations written out; towns as they are."""
    folded = [_SHORT_TO_LONG.get(low, low) for low in (fold(word) for word in note.words)]
    where: dict[str, list[int]] = {}
    for index, word in enumerate(folded):
        where.setdefault(word, []).append(index)
    for address in known.addresses:
        if not address or sum(map(len, address)) < 4:
            continue
        for first in where.get(address[0], ()):
            length = 0
            while length < len(address) and first + length < len(folded) and folded[first + length] == address[length]:
                length += 1
            is_whole = length == len(address)
            if (is_whole or (length >= 2 and address[0].isdigit())) and (
                length > 1 or note.kinds[first] & (lex.CAP | lex.DIGIT)
            ):
                yield Span(note.starts[first], note.ends[first + length - 1], LOCATION, 8)


def _day(text: str, day: str) -> Iterator[Span]:
    """A known day written without its year: 3/14, 14.3., 14 March."""
    parts = _DATE_PARTS.match(day)
    if not parts:
        return
    _, month, number = (int(part) for part in parts.groups())
    for one, other in {(month, number), (number, month)}:
        for found in re.finditer(rf"(?<![\d/.-])0?{one}[/-]0?{other}(?![\d/]|\s?%)", text):
            yield Span(*found.span(), DATE, 5)
