"""How much of what should go went, and how much went that should have stayed: recall and precision in characters, by class."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from include.privacy.text.annotated import Gold
from include.privacy.text.deidentify import Finder
from include.privacy.text.spans import Span


@dataclass(slots=True)
class Measure:
    """Characters: of each gold class how many were found, and of all found how many are gold of any class."""

    found: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    gold: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    replaced: int = 0
    rightly: int = 0

    def add(self, length: int, gold: Iterable[Gold], spans: Sequence[Span]) -> None:
        """Count one text of ``length`` characters."""
        is_replaced, is_gold = bytearray(length), bytearray(length)
        for span in spans:
            is_replaced[span.start : span.end] = b"\1" * (span.end - span.start)
        for start, end, label in gold:
            is_gold[start:end] = b"\1" * (end - start)
            self.found[label] += sum(is_replaced[start:end])
            self.gold[label] += end - start
        self.replaced += sum(is_replaced)
        self.rightly += sum(map(int.__and__, is_replaced, is_gold))

    def recall(self, *labels: str) -> float:
        """Share of the characters of these gold classes that were found; of all where none is named."""
        labels = labels or tuple(self.gold)
        return sum(self.found[label] for label in labels) / max(1, sum(self.gold[label] for label in labels))

    @property
    def precision(self) -> float:
        """Share of the replaced characters that are gold of any class."""
        return self.rightly / max(1, self.replaced)

    def table(self, title: str) -> str:
        """The figures as lines for people."""
        lines = [f"{title}: recall {self.recall():.4f}, precision {self.precision:.4f}"]
        lines += [
            f"  {label:32} recall {self.recall(label):.4f}  of {self.gold[label]:,} characters"
            for label in sorted(self.gold)
        ]
        return "\n".join(lines)


def measure(finder: Finder, texts: Iterable[tuple[str, Sequence[Gold]]]) -> Measure:
    """Find in every text and compare with its gold spans."""
    result = Measure()
    for text, gold in texts:
        result.add(len(text), gold, finder.find(text))
    return result
