"""The message of a night: made of the books' value-free reasons and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

_MOST_REASONS = 12
_MEANING = {
    "amber": "published, with something to look at",
    "red": "NOT published; analysts still see the last good night",
    "green": "published, nothing to report",
}
_FAILED_LATER = "published, but a step after it failed"


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent about one night. ``reasons`` are sentences, worst first."""

    night: date
    verdict: str
    reasons: tuple[str, ...]
    report: str | None
    is_published: bool

    @property
    def meaning(self) -> str:
        """What the verdict means for those who read the marts."""
        return _FAILED_LATER if self.verdict == "red" and self.is_published else _MEANING[self.verdict]

    @property
    def key(self) -> str:
        """The same in every try of the same news."""
        return f"night.{self.night}.{self.verdict}"

    @property
    def subject(self) -> str:
        """One line, for a mail's subject."""
        return f"Plumbline {self.night}: {self.verdict}, {self.meaning.split(';')[0]}"

    @property
    def text(self) -> str:
        """The whole message as plain text."""
        shown = [f"- {reason}" for reason in self.reasons[:_MOST_REASONS]]
        more = len(self.reasons) - _MOST_REASONS
        lines = [f"Night {self.night} is {self.verdict}: {self.meaning}.", *shown]
        lines += [f"- and {more} more"] if more > 0 else []
        lines += [f"Report: {self.report}"] if self.report else []
        return "\n".join(lines)

    def as_json(self) -> dict[str, object]:
        """The body for a webhook; chat servers show ``text``, programs read the rest."""
        return {
            "text": self.text,
            "platform": "plumbline",
            "night": self.night.isoformat(),
            "verdict": self.verdict,
            "published": self.is_published,
            "reasons": list(self.reasons),
            "report": self.report,
        }


def message_for(night: date, verdict: str, reasons: Sequence[dict], report: str | None, is_published: bool) -> Message:
    """A message from a row of lifecycle.night; ``reasons`` as close_night wrote them."""
    told = tuple(f"{reason['level']}: {reason['text']}" for reason in reasons)
    return Message(night, verdict, told, report, is_published)
