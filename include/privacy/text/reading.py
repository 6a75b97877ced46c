"""A note as words with their places and kinds: one scan, which every finder reads."""

from __future__ import annotations

import re
from dataclasses import dataclass

from include.privacy.text.lexicon import Lexicon

# Everything but spaces, ASCII and Latin-1 punctuation and typographic signs; an apostrophe inside belongs to the word.
_INSIDE = r"[^\s!-/:-@\[-`{-©«-±´¶-¹»-¿×÷\u2010-\u2069\u20a0-\u2bff\u3000-\u303f]"
_WORD = re.compile(rf"{_INSIDE}+(?:['’]{_INSIDE}+)*")


@dataclass(frozen=True, slots=True)
class Note:
    """``words[i]`` stands at ``text[starts[i]:ends[i]]`` (a possessive 's left out) and is of kind ``kinds[i]``.

    ``capitals`` are the places of words that some dictionary or their shape makes worth a look.
    """

    text: str
    words: list[str]
    starts: list[int]
    ends: list[int]
    kinds: list[int]
    marked: list[int]

    def gap(self, index: int) -> str:
        """What stands between a word and the next."""
        following = self.starts[index + 1] if index + 1 < len(self.starts) else len(self.text)
        return self.text[self.ends[index] : following]

    def before(self, index: int) -> str:
        """What stands between a word and the one before."""
        return self.text[self.ends[index - 1] if index else 0 : self.starts[index]]


def read_note(text: str, lexicon: Lexicon) -> Note:
    """Cut a text into words and look each up."""
    found = list(_WORD.finditer(text))
    words = [each[0] for each in found]
    starts = [each.start() for each in found]
    ends = [each.end() for each in found]
    if "'" in text or "’" in text:
        for index, word in enumerate(words):
            if len(word) > 3 and word[-2] in "'’" and word[-1] in "sS":
                words[index] = word[:-2]
                ends[index] -= 2
    kinds = list(map(lexicon.__getitem__, words))
    return Note(text, words, starts, ends, kinds, [index for index, kind in enumerate(kinds) if kind])
