"""De-identification of free text: what was found by rules, dictionaries and the patient's own record, replaced by tags or surrogates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from include.privacy.text.contacts import find_contacts
from include.privacy.text.dates import find_dates
from include.privacy.text.known import Known, find_known
from include.privacy.text.lexicon import load_lexicon
from include.privacy.text.loose_ends import find_initials, find_loose_ends
from include.privacy.text.names import find_names
from include.privacy.text.names_again import find_again
from include.privacy.text.numbers import find_coded, find_numbers
from include.privacy.text.places import find_places
from include.privacy.text.reading import read_note
from include.privacy.text.small_names import find_small_names
from include.privacy.text.spans import Span, join


class Engine(Protocol):
    """Another finder of identifiers behind the same interface; what it finds is added, never taken away."""

    def find(self, text: str) -> Sequence[Span]:
        """Spans of one text."""
        ...


@dataclass(slots=True)
class Finder:
    """Finds the identifiers of texts. ``today`` is the day that ages count to; ``engines`` are asked as well."""

    today: date
    engines: Sequence[Engine] = ()
    _lexicon: object = field(default_factory=load_lexicon)

    def find(self, text: str, known: Known | None = None) -> list[Span]:
        """Identifiers of one text, in order, without overlaps. ``known`` is what the record says of the patient.

        Time grows with the text's length alone: each finder reads the text once or looks at a bounded stretch around a word.
        """
        if not text:
            return []
        note = read_note(text, self._lexicon)
        found = [
            *find_contacts(text),
            *find_numbers(text, self.today),
            *find_coded(text),
            *find_dates(note),
            *find_names(note, self._lexicon),
            *find_small_names(text, self._lexicon),
            *find_places(note, self._lexicon),
        ]
        if known is not None:
            found += find_known(note, known)
        found += find_again(note, found)
        for engine in self.engines:
            found += engine.find(text)
        joined = join(found)
        return join([*joined, *find_loose_ends(text, joined), *find_initials(text, joined)])
