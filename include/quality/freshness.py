"""Whether a source came in time, in its usual shape and size: what the night must tell before anyone asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

import psycopg
from psycopg.types.json import Jsonb

from include.quality.drift import is_late
from include.quality.policy import Volume, load_quality_policy

AMBER, RED = "amber", "red"
VOLUME_NOTE = "unusual_volume"


@dataclass(frozen=True, slots=True)
class SourceNight:
    """What the books say of a source and night. ``drifted`` counts columns, ``rows`` counts what was received."""

    source: str
    required: bool
    missing: bool
    stale: bool
    age_days: int | None
    max_age_days: int | None
    drifted: int
    rows: int
    earlier_rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Flag:
    """One thing to tell. ``kind`` is missing, stale, drift or volume; the text holds names and counts only."""

    level: str
    source: str
    kind: str
    text: str


def flags_of(state: SourceNight, volume: Volume) -> tuple[Flag, ...]:
    """Missing and stale are red where the source is required, else amber; drift and unusual volume are amber."""
    level = RED if state.required else AMBER
    found = []
    if state.missing:
        found.append(Flag(level, state.source, "missing", f"{state.source} did not deliver"))
    elif state.stale:
        found.append(
            Flag(level, state.source, "stale",
                 f"{state.source} is {state.age_days} days old, at most {state.max_age_days} are promised")
        )  # fmt: skip
    if state.drifted:
        found.append(
            Flag(AMBER, state.source, "drift", f"{state.source} changed its shape in {state.drifted} column(s)")
        )
    unusual = unusual_volume(state.rows, state.earlier_rows, volume)
    if unusual is not None and not state.missing:
        found.append(
            Flag(AMBER, state.source, "volume",
                 f"{state.source} brought {state.rows} rows, {unusual:.2f} times the median of its last {len(state.earlier_rows)} nights")
        )  # fmt: skip
    return tuple(found)


def unusual_volume(rows: int, earlier: Sequence[int], volume: Volume) -> float | None:
    """Rows as a multiple of the median of earlier nights where that is out of bounds; None where it is not, or not known.

    Nights that brought nothing are not compared: a source may come once a week.
    """
    came = [each for each in earlier if each > 0][: volume.nights_compared]
    if rows == 0 or len(came) < volume.nights_needed:
        return None
    multiple = rows / median(came)
    return None if volume.low <= multiple <= volume.high else multiple


def read_states(books: psycopg.Connection, night: date, volume: Volume) -> list[SourceNight]:
    """What the books say of every source of the night, with the rows of its earlier nights, newest first."""
    rows = books.execute(
        """select s.source, s.required, s.missing, s.stale, s.age_days, s.max_age_days,
                  coalesce((select sum(jsonb_array_length(coalesce(d -> 'columns', '[]'))) from jsonb_array_elements(s.drift) d), 0)::int,
                  coalesce((select sum(b.received) from lifecycle.batch b where (b.source, b.night) = (s.source, s.night)), 0)::bigint
           from lifecycle.source_state s where s.night = %s order by s.source""",
        [night],
    ).fetchall()
    return [SourceNight(*row, earlier_rows=_earlier(books, row[0], night, volume)) for row in rows]


def _earlier(books: psycopg.Connection, source: str, night: date, volume: Volume) -> tuple[int, ...]:
    rows = books.execute(
        """select sum(received)::bigint from lifecycle.batch where source = %s and night < %s
           group by night order by night desc limit %s""",
        [source, night, volume.nights_compared],
    ).fetchall()
    return tuple(received for (received,) in rows)


def late_sources(books: psycopg.Connection, night: date) -> frozenset[str]:
    """Sources that are there, bring nothing new tonight, and by their own history always did (drift.is_late)."""
    rows = books.execute(
        """select s.source, e.night, e.files_new > 0 from lifecycle.source_state s
           join lifecycle.source_state e on e.source = s.source and e.night < s.night and e.night >= s.night - 56
           where s.night = %s and s.files_new = 0 and not s.missing and not s.stale""",
        [night],
    ).fetchall()
    history: dict[str, list[tuple[date, bool]]] = {}
    for source, earlier, brought in rows:
        history.setdefault(source, []).append((earlier, brought))
    return frozenset(source for source, nights in history.items() if is_late(night, nights))


def note_volume(books: psycopg.Connection, source: str, night: date) -> None:
    """Keep an unusual volume among the notes of the source's night; the note of an earlier attempt is replaced."""
    volume = load_quality_policy().volume
    states = [state for state in read_states(books, night, volume) if state.source == source]
    notes = [
        {"code": VOLUME_NOTE, "text": flag.text}
        for state in states
        for flag in flags_of(state, volume)
        if flag.kind == "volume"
    ]
    books.execute(
        """update lifecycle.source_state set notes = coalesce((select jsonb_agg(n) from jsonb_array_elements(notes) n
               where n ->> 'code' is distinct from %s), '[]') || %s where source = %s and night = %s""",
        [VOLUME_NOTE, Jsonb(notes), source, night],
    )
