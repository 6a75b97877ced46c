"""What a delivery looks like in numbers, kept night by night, and tonight's compared with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from include.quality.catalogue.flat import Flat
from include.quality.drift import (
    ARRIVAL,
    MIX,
    NULLS,
    NUMBERS,
    SCHEMA,
    VOLUME,
    Finding,
    Signal,
    compare,
    distance,
    drawn_in,
    scaled,
)
from include.quality.policy import load_quality_policy

NOTE = "drift"
# Columns of closed code lists, whose mix of codes says something and nothing about one person.
_MIXES = ("status", "class_code", "category", "gender", "clinical_status", "intent", "code_system", "criticality")
_MOST_CODES, _LEAST_VALUES = 20, 30


def keep(books: psycopg.Connection, source: str, night: date, flats: Sequence[Flat]) -> list[Finding]:
    """Keep the night's signals, compare them with the source's history, and keep what came of it with a note for the verdict."""
    books.execute("delete from quality.profile where night = %s and source = %s", [night, source])
    signals = [*_arrival(books, source, night)]
    for flat in flats:
        if flat.rows:
            signals += _of_rows(flat.books, source, night, flat)
    with books.cursor() as cursor:
        cursor.executemany(
            "insert into quality.profile (night, source, signal, subject, kind, value, detail) values (%s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    night,
                    source,
                    s.name,
                    s.subject,
                    s.kind,
                    scaled(s.kind, s.value),
                    Jsonb(dict(s.detail)) if s.detail else None,
                )
                for s in signals
            ],
        )
    findings = compare(night, signals, _history(books, source, night), load_quality_policy().drift)
    _keep_findings(books, source, night, findings)
    return findings


def _of_rows(books: psycopg.Connection, source: str, night: date, flat: Flat) -> Iterator[Signal]:
    subject = flat.subject.resource_type
    yield Signal(f"{subject}.rows", subject, VOLUME, flat.rows)
    columns = [
        name for name in flat.subject.columns if name in flat.brought and not name.endswith(("_last", "_readable"))
    ]
    counts = books.execute(
        sql.SQL("select {} from {}").format(
            sql.SQL(", ").join(sql.SQL("count({})").format(sql.Identifier(name)) for name in columns), flat.table
        )
    ).fetchone()
    filled = {name for name, count in zip(columns, counts, strict=True) if count}
    for name, count in zip(columns, counts, strict=True):
        if name in filled:
            yield Signal(f"{subject}.{name}.null_share", subject, NULLS, 1 - count / flat.rows, flat.rows)
    yield _schema(books, source, night, subject, filled)
    for name in _MIXES:
        if name in filled and flat.subject.columns[name].type == "text":
            yield from _mix(books, source, night, flat, name)
    yield from _numbers(books, flat)


def _schema(books: psycopg.Connection, source: str, night: date, subject: str, filled: set[str]) -> Signal:
    """How many elements are filled tonight and were not in the last seven nights, or were in all of them and are not."""
    rows = books.execute(
        """select detail from quality.profile where source = %s and signal = %s and night < %s order by night desc limit 7""",
        [source, f"{subject}.schema", night],
    ).fetchall()
    before = [set(detail or ()) for (detail,) in rows]
    always = set.intersection(*before) if before else filled
    ever = set.union(*before) if before else filled
    detail = dict.fromkeys(sorted(filled), 1.0)
    return Signal(f"{subject}.schema", subject, SCHEMA, len(always - filled) + len(filled - ever), detail=detail)


def _mix(books: psycopg.Connection, source: str, night: date, flat: Flat, column: str) -> Iterator[Signal]:
    subject = flat.subject.resource_type
    counts = books.execute(
        sql.SQL("select coalesce({c}, '(none)'), count(*) from {t} group by 1 order by 2 desc, 1 limit 40").format(
            c=sql.Identifier(column), t=flat.table
        )
    ).fetchall()
    tonight = {name: float(count) for name, count in counts}
    name = f"{subject}.{column}.mix"
    usual: dict[str, float] = {}
    for (detail,) in books.execute(
        "select detail from quality.profile where source = %s and signal = %s and night < %s order by night desc limit 28",
        [source, name, night],
    ).fetchall():
        for category, count in (detail or {}).items():
            usual[category] = usual.get(category, 0.0) + count
    yield Signal(name, subject, MIX, distance(tonight, usual) if usual else 0.0, flat.rows, tonight)


def _numbers(books: psycopg.Connection, flat: Flat) -> Iterator[Signal]:
    """The median of each of the most frequent codes with a value, by unit."""
    concept = flat.subject.concept
    if "value" not in concept or concept["value"] not in flat.brought:
        return
    subject = flat.subject.resource_type
    code, unit, value = (sql.Identifier(concept[word]) for word in ("code", "unit", "value"))
    rows = books.execute(
        sql.SQL(
            """select {code}, coalesce({unit}, ''), percentile_cont(0.5) within group (order by {value}) from {table}
               where {value} is not null and {code} is not null group by 1, 2 having count(*) >= {least}
               order by count(*) desc, 1, 2 limit {most}"""
        ).format(
            code=code,
            unit=unit,
            value=value,
            table=flat.table,
            least=sql.Literal(_LEAST_VALUES),
            most=sql.Literal(_MOST_CODES),
        )
    ).fetchall()
    for of_code, of_unit, median in rows:
        yield Signal(f"{subject}.{of_code}[{of_unit}].median", subject, NUMBERS, float(median))


def _arrival(books: psycopg.Connection, source: str, night: date) -> Iterator[Signal]:
    """When the delivery was made, in hours before the night's noon: a file that comes later every night shows."""
    (hours,) = books.execute(
        """select extract(epoch from (%s::date + interval '12 hours') - delivered_at) / 3600 from lifecycle.source_state
           where source = %s and night = %s""",
        [night, source, night],
    ).fetchone() or (None,)
    if hours is not None:
        yield Signal("delivery.hours_before_noon", "delivery", ARRIVAL, float(hours))


def _history(books: psycopg.Connection, source: str, night: date) -> dict[str, list[tuple[date, float]]]:
    """Signal -> its earlier nights; one that gave an alarm for it is drawn in towards what was expected."""
    look_back = load_quality_policy().drift.nights_compared
    rows = books.execute(
        """select p.signal, p.night, p.value, d.expected, d.deviation from quality.profile p
           left join quality.drift d on (d.night, d.source, d.signal) = (p.night, p.source, p.signal) and d.is_alarm
           where p.source = %s and p.night < %s and p.night >= %s::date - %s and p.value is not null
           order by p.signal, p.night""",
        [source, night, night, look_back],
    ).fetchall()
    found: dict[str, list[tuple[date, float]]] = {}
    for signal, day, value, expected, deviation in rows:
        usual = value if deviation is None else drawn_in(value, expected, deviation)
        found.setdefault(signal, []).append((day, usual))
    return found


def _keep_findings(books: psycopg.Connection, source: str, night: date, findings: Sequence[Finding]) -> None:
    books.execute("delete from quality.drift where night = %s and source = %s", [night, source])
    with books.cursor() as cursor:
        cursor.executemany(
            """insert into quality.drift (night, source, signal, subject, kind, value, expected, deviation, nights_compared, is_alarm)
               values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            [
                (night, source, f.signal.name, f.signal.subject, f.signal.kind, scaled(f.signal.kind, f.signal.value),
                 f.expected, f.deviation, f.nights, f.is_alarm)
                for f in findings
            ],
        )  # fmt: skip
    alarms = sorted((f for f in findings if f.is_alarm), key=lambda f: f.probability)
    text = ", ".join(f.signal.name for f in alarms[:4]) + (f" and {len(alarms) - 4} more" if len(alarms) > 4 else "")
    notes = [{"code": NOTE, "level": "amber", "text": f"unlike its own last nights: {text}"}] if alarms else []
    books.execute(
        """update lifecycle.source_state set notes = coalesce((select jsonb_agg(n) from jsonb_array_elements(notes) n
               where n ->> 'code' is distinct from %s), '[]') || %s where source = %s and night = %s""",
        [NOTE, Jsonb(notes), source, night],
    )
