"""What a further version of a result means for the alert that an earlier one made. Pure.

A version overrules an earlier one where its status says that it may (decide.rank_of): a repetition of an old message, or a final
result that contradicts a final one without being called corrected, changes no alert and is counted instead. A critical value
that nobody was told of is told in any case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from include.critical.decide import CRITICAL, UNJUDGED, VOID
from include.critical.findings import Finding

_PRELIMINARY, _CHANGES = 1, 3


@dataclass(slots=True)
class Known:
    """The newest alert of a series, as far as versions of its result matter."""

    alert_id: UUID
    content_key: bytes
    rank: int
    is_withdrawn: bool
    times: dict[bytes, int]  # how many alerts of the series there were, by content key

    def next_of(self, content_key: bytes) -> int:
        """The number of a further alert that says the same."""
        return self.times.get(content_key, 0) + 1


class Consequence(NamedTuple):
    """What to do: ``alert``, its number among equal ones; ``withdraw`` the one before and why; ``seen``: keep the higher rank; ``counted`` as."""

    alert_nth: int | None = None
    withdraw_because: str | None = None
    is_seen: bool = False
    counted: str | None = None


def follow(known: Known | None, finding: Finding) -> Consequence:
    """What follows from a series' newest alert, if it has one, to what is known now."""
    kind = finding.verdict.kind
    if known is None:
        return Consequence(alert_nth=1) if kind == CRITICAL else Consequence()
    if kind == UNJUDGED:
        return Consequence()
    if finding.rank < known.rank:
        # What was never told is told, even where it comes too late to overrule: nobody may have seen it.
        is_news = kind == CRITICAL and finding.content_key not in known.times
        return Consequence(alert_nth=1 if is_news else None, counted="late")
    if kind == CRITICAL:
        return _still_critical(known, finding)
    if known.is_withdrawn:
        return Consequence(is_seen=True)
    if not _may_overrule(known, finding):
        return Consequence(counted="contradicted")
    return Consequence(withdraw_because="cancelled" if kind == VOID else "corrected", is_seen=True)


def _still_critical(known: Known, finding: Finding) -> Consequence:
    if finding.content_key == known.content_key and not known.is_withdrawn:
        return Consequence(is_seen=True, counted="repeated")
    is_replacing = not known.is_withdrawn and _may_overrule(known, finding)
    return Consequence(known.next_of(finding.content_key), withdraw_because="replaced" if is_replacing else None)


def _may_overrule(known: Known, finding: Finding) -> bool:
    return finding.rank > known.rank or finding.rank in (_PRELIMINARY, _CHANGES)
