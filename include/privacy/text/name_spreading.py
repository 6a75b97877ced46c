"""How a name in a run of words makes its neighbours names: initials, particles, names that are also words, unknown words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from include.privacy.text import lexicon as lex
from include.privacy.text.name_strength import MAYBE, NEVER, STRONG, WEAK
from include.privacy.text.reading import Note
from include.privacy.text.terms import TWO_EPONYMS
from include.privacy.text.vocabulary import FUNCTION_WORDS

_MAY_ABBREVIATE = lex.CREDENTIAL | lex.STATE | lex.FACILITY
_FORWARD, _BACKWARD = 1, -1


@dataclass(slots=True)
class _Run:
    """``strength[place]`` and ``kinds[place]`` are of the note's word ``first + place``; spreading changes ``strength``."""

    note: Note
    first: int
    strength: list[int]
    kinds: list[int]

    def word(self, place: int) -> str:
        return self.note.words[self.first + place]

    def is_one_line(self, place: int) -> bool:
        """Do a word and the next stand on one line?"""
        return "\n" not in self.note.gap(self.first + place)


def spread(note: Note, first: int, strength: list[int]) -> None:
    """Strengthen in place the words beside names; ``strength`` is of the words from ``first`` on."""
    count = len(strength)
    if count < 2:
        return
    run = _Run(note, first, strength, note.kinds[first : first + count])
    for place in range(count - 1):
        if _are_given_and_family(run, place):
            strength[place] = strength[place + 1] = STRONG
        if _is_given_before_initial(run, place):
            strength[place] = STRONG
    for place in range(1, count):
        _take_family_that_is_a_word(run, place)
    _carry(run, range(1, count), _FORWARD)
    _carry(run, range(count - 2, -1, -1), _BACKWARD)


def _are_given_and_family(run: _Run, place: int) -> bool:
    """Two names that are also words stand for a person: Grant Young, Will Price."""
    return bool(
        run.strength[place] == MAYBE
        and run.strength[place + 1] == MAYBE
        and run.kinds[place] & lex.GIVEN
        and run.kinds[place + 1] & lex.FAMILY
        and not _is_eponym(run, place)
        and run.is_one_line(place)
    )


def _is_eponym(run: _Run, place: int) -> bool:
    """Jackson Pratt; two clinical words; a facility's first word, as in 'General Grant'."""
    kind, following = run.kinds[place], run.kinds[place + 1]
    return bool(
        (run.word(place).lower(), run.word(place + 1).lower()) in TWO_EPONYMS
        or (kind & following & lex.CLINICAL and not kind & lex.FIRST)
        or kind & lex.FACILITY
    )


def _is_given_before_initial(run: _Run, place: int) -> bool:
    """A given name that is also a word, before an initial: Grace K."""
    kind = run.kinds[place]
    if (
        not kind & lex.GIVEN
        or run.strength[place] != MAYBE
        or not run.kinds[place + 1] & lex.LETTER
        or run.strength[place + 1] == NEVER
        or not run.is_one_line(place)
    ):
        return False
    end = run.note.ends[run.first + place + 1]
    return run.note.text[end : end + 1] == "." or bool(kind & lex.COMMON)


def _take_family_that_is_a_word(run: _Run, place: int) -> None:
    """A word after a given name and an initial, or one by its ending only: Daniela C Capon, Stephan Urner."""
    kinds, strength = run.kinds, run.strength
    kind = kinds[place]
    if strength[place] != NEVER or not kind & lex.WORD or kind & lex.UPPER or not run.is_one_line(place - 1):
        return
    if kinds[place - 1] & lex.LETTER and place > 1 and strength[place - 2] == STRONG:
        strength[place - 1] = strength[place] = STRONG
    elif kind & lex.DERIVED and _is_sure_given(run, place - 1) and run.word(place).lower() not in FUNCTION_WORDS:
        strength[place] = STRONG


def _is_sure_given(run: _Run, place: int) -> bool:
    return bool(run.kinds[place] & lex.GIVEN) and run.strength[place] == STRONG


def _carry(run: _Run, places: Iterable[int], direction: int) -> None:
    """From each name to the part beside it, and from there on."""
    strength = run.strength
    for place in places:
        beside = place - direction
        if strength[beside] != STRONG or strength[place] not in (WEAK, MAYBE):
            continue
        if not run.is_one_line(min(place, beside)) or _stands_apart(run, place, beside):
            continue
        if _is_particle_before_word(run, place):
            strength[place + 1] = STRONG
        strength[place] = STRONG


def _stands_apart(run: _Run, place: int, beside: int) -> bool:
    """Beside a name and no part of it: Desmond RN, Desmond CXR; 'de' at the edge of a run."""
    kind = run.kinds[place]
    if kind & lex.UPPER and not kind & lex.LETTER:
        if kind & _MAY_ABBREVIATE:
            return True
        if run.strength[place] == WEAK and not kind & lex.PARTICLE and not run.kinds[beside] & lex.UPPER:
            return True
    is_small_particle = kind & lex.PARTICLE and not kind & lex.CAP
    return bool(is_small_particle) and not 0 < place < len(run.strength) - 1


def _is_particle_before_word(run: _Run, place: int) -> bool:
    """The family name is a word after a particle: Wilhelmina ten Pas. Never so backward, where a name stands there already."""
    following = place + 1
    return bool(
        run.kinds[place] & lex.PARTICLE
        and following < len(run.strength)
        and run.strength[following] == NEVER
        and run.kinds[following] & lex.WORD
        and run.strength[place - 1] == STRONG
    )
