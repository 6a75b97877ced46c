"""What leaves the house about a critical result: that there is one, whom it concerns, and how to open it. No name, no value.

Every part is a number of ours, a word of the reviewed policy or of sources.yml, or a time; nothing of a message gets in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

_SAID = {
    "alert": "Critical result",
    "escalation": "Critical result NOT ACKNOWLEDGED",
    "correction": "Critical result WITHDRAWN",
    "notice": "Results that could not be judged",
}


@dataclass(frozen=True, slots=True)
class CriticalMessage:
    """One message. ``number`` is the alert's id or the notice's; ``title`` is None where the policy does not name tests."""

    kind: str
    number: UUID
    step: int
    source: str
    route: str | None = None
    received_at: datetime | None = None
    title: str | None = None
    is_replacing: bool = False

    @property
    def key(self) -> str:
        """The idempotency key: the same in every try, also after a restored backup."""
        return f"{self.number}.{self.kind}.{self.step}"

    @property
    def subject(self) -> str:
        """One line, for a mail's subject."""
        named = f": {self.title}" if self.title and self.kind != "notice" else ""
        return f"{_SAID[self.kind]}{named}" + (f", for {self.route}" if self.route else f" of source {self.source}")

    @property
    def text(self) -> str:
        """The whole message as plain text."""
        if self.kind == "notice":
            return (
                f"{self.subject}: of today's live messages, some results or whole messages could not be held against the "
                "critical limits, so nobody was alerted of them. Look at them in the laboratory's system; "
                "'make alerts' says how many and why."
            )
        lines = [
            f"{self.subject}.",
            f"Alert {self.number}, from {self.source}, received {self.received_at:%Y-%m-%d %H:%M:%S} UTC.",
        ]
        if self.kind == "correction":
            lines.append("The laboratory changed or cancelled the result; what was reported before no longer holds.")
        elif self.is_replacing:
            lines.append("It replaces an earlier alert about the same result, which was changed.")
        lines.append(
            f"Open it{'' if self.kind == 'correction' else ', read it back and answer for it'}: make alert ID={str(self.number)[:8]} BY=you"
        )
        return "\n".join(lines)

    def as_json(self) -> dict[str, object]:
        """The body for a webhook; chat servers show ``text``, programs read the rest."""
        return {
            "text": self.text,
            "platform": "plumbline",
            "kind": f"critical_result.{self.kind}",
            "alert": str(self.number),
            "step": self.step,
            "source": self.source,
            "route": self.route,
            "received_at": self.received_at.isoformat() if self.received_at else None,
            "test": self.title,
            "idempotency_key": self.key,
        }
