"""Deciding about a delivery: how old it is and whether that is too old. Nothing here looks at a clock or a disk."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from include.sources.listing import Listing
from include.sources.registry import Source


def delivery_time(source: Source, listing: Listing, file_times: Iterable[datetime]) -> datetime | None:
    """When the delivery was made: as sources.yml declares, as its manifest says, or as its newest file was written.

    None where nothing tells.
    """
    return source.delivered_at or listing.delivered_at or max(file_times, default=None)


def age_in_days(delivered_at: datetime | None, night: date, source: Source) -> int | None:
    """Whole days from the delivery's day, in the source's own time zone, to the night; never below 0."""
    if delivered_at is None:
        return None
    try:
        day = delivered_at.astimezone(source.zone).date()
    except OverflowError:  # at the calendar's ends
        day = delivered_at.date()
    return max(0, (night - day).days)


def is_from_the_future(delivered_at: datetime | None, night: date, today: date) -> bool:
    """True where a delivery is dated after both the night and the day it is: it would count as fresh until then."""
    return delivered_at is not None and delivered_at.date() > max(night, today) + timedelta(days=1)


def is_stale(age_days: int | None, max_age_days: int | None) -> bool:
    """True where the age is over what sources.yml allows; on the last allowed day it is not."""
    return age_days is not None and max_age_days is not None and age_days > max_age_days


def written_at(modified_ns: int) -> datetime:
    """A file's modification time as a moment in UTC."""
    return datetime.fromtimestamp(modified_ns / 1e9, UTC)
