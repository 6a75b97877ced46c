"""What there is to move: months of raw in Postgres, files in cold and archive, deliveries in landing. Reads, never writes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date, timedelta

from psycopg import sql

from include.lifecycle.holds import Hold, read_holds
from include.lifecycle.policy import Believable, Retention

# Rows without an event time count from the day they were received.
EVENT_DAY = sql.SQL("coalesce(event_at, received_at)")
_YEAR_OF = "extract(year from {} at time zone 'UTC')::int"


def counted_year(events: Believable) -> sql.Composed:
    """The year from whose end a raw row's retention counts: of its event, or of its receipt where that year cannot be true."""
    event, received = (sql.SQL(_YEAR_OF).format(sql.Identifier(name)) for name in ("event_at", "received_at"))
    return sql.SQL(
        "(case when {event} between {since} and {received} + {ahead} then {event} else {received} end)"
    ).format(
        event=event, received=received, since=sql.Literal(events.since_year), ahead=sql.Literal(events.years_ahead)
    )


@dataclass(frozen=True, slots=True)
class Unit:
    """What moves as a whole: a month of a raw table, a file, or what a source delivered in a night.

    ``held_people`` are the ids of holds whose person has a record in it. Dates of events are the first and last in it, None
    where unknown, which every period matches.
    """

    name: str
    kind: str
    tier: str
    data_classes: tuple[str, ...]
    received_month: date
    records: int = 0
    bytes: int = 0
    sources: tuple[str, ...] = ()
    raw_table: str | None = None
    file_id: int | None = None
    event_year: int | None = None
    first_event: date | None = None
    last_event: date | None = None
    held_people: frozenset[int] = frozenset()
    with_person: bool = False
    person_lives: bool = False
    approved: bool = False
    bytes_remain_until: date | None = None
    loan_until: date | None = None
    locked_until: date | None = None
    refused_waiting: bool = False
    unfinished: bool = False
    is_estimate: bool = False
    last_read: date | None = None
    youngest_born: date | None = None

    @property
    def last_received(self) -> date:
        """The last day on which anything in the unit was received; for landing, the very night."""
        if self.kind == "landing":
            return self.received_month
        return (self.received_month.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class State:
    """Everything a plan is decided from, besides the policy and the day."""

    units: tuple[Unit, ...]
    holds: tuple[Hold, ...]


def read_state(hot, retention: Retention, today: date) -> State:
    """Read every unit there is. Months not due yet come with Postgres' own estimate of their rows, which costs nothing."""
    holds = read_holds(hot)
    partitions = read_partitions(hot, retention, today)
    files = _with_minors(hot, read_files(hot), retention, today)
    units = [*_with_held_months(hot, partitions), *files, *read_landing(hot)]
    return State(tuple(units), holds)


def read_partitions(hot, retention: Retention, today: date) -> list[Unit]:
    """Months of raw; exact where they are due by the day or Postgres has no estimate yet, else estimated."""
    rows = hot.execute(
        """select p.raw_table, p.leaf, p.data_class, p.received_month, greatest(c.reltuples, 0)::bigint,
                  pg_total_relation_size(p.leaf_oid), l.until, c.reltuples > 0 or pg_relation_size(p.leaf_oid) = 0
           from lifecycle.hot_partition p join pg_class c on c.oid = p.leaf_oid
           left join (select raw_table, data_class, received_month, max(until) as until
                      from lifecycle.loan join lifecycle.cold_file using (file_id, raw_table, received_month)
                      group by 1, 2, 3) l
             on l.raw_table = p.raw_table and l.received_month = p.received_month
            and (p.data_class is null or l.data_class = p.data_class)
           order by p.leaf"""
    ).fetchall()
    units = []
    for table, leaf, data_class, month, about, size, until, is_known in rows:
        classes = (data_class,) if data_class else _class_of_table(hot, table, month)
        unit = Unit(
            leaf, "partition", "hot", classes, month, about, size, raw_table=table, loan_until=until, is_estimate=True
        )
        units.append(unit if is_known and not _may_be_due(unit, retention, today) else _counted(hot, unit))
    return units


def _may_be_due(unit: Unit, retention: Retention, today: date) -> bool:
    return any(today >= retention.rule(name).leaves_hot_on(unit.received_month) for name in unit.data_classes)


def _class_of_table(hot, table: str, month: date) -> tuple[str, ...]:
    """The class its contract gave the month; should it have changed within it, counting a due month finds them all."""
    query = sql.SQL("select data_class from {} where {} limit 1").format(sql.Identifier("raw", table), in_month(month))
    return tuple(hot.execute(query).fetchone() or ())


def in_month(month: date) -> sql.Composed:
    """The condition that a raw row was received in that month (UTC), written so that Postgres reads one partition."""
    after = (month.replace(day=28) + timedelta(days=4)).replace(day=1)
    return sql.SQL("received_at >= {} and received_at < {}").format(
        sql.Literal(f"{month} 00:00:00+00"), sql.Literal(f"{after} 00:00:00+00")
    )


def rows_of(unit: Unit) -> sql.Composed:
    """``from`` and ``where`` that read exactly the rows of a month, through its parent."""
    of_class = sql.SQL("true")
    if unit.raw_table == "resource":
        of_class = sql.SQL("data_class = {}").format(sql.Literal(unit.data_classes[0]))
    return sql.SQL("from {} where {} and {}").format(
        sql.Identifier("raw", unit.raw_table), of_class, in_month(unit.received_month)
    )


def _counted(hot, unit: Unit) -> Unit:
    seen = hot.execute(
        sql.SQL(
            """select count(*), coalesce(array_agg(distinct source), '{{}}'), coalesce(array_agg(distinct data_class), '{{}}'),
                      (min({day}) at time zone 'UTC')::date, (max({day}) at time zone 'UTC')::date {rows}"""
        ).format(day=EVENT_DAY, rows=rows_of(unit))
    ).fetchone()
    records, sources, classes, first, last = seen
    return replace(
        unit,
        records=records,
        sources=tuple(sorted(sources)),
        data_classes=tuple(sorted(classes)),
        first_event=first,
        last_event=last,
        is_estimate=False,
    )


def _with_held_months(hot, partitions: list[Unit]) -> list[Unit]:
    held = defaultdict(set)
    for hold_id, table, data_class, month in hot.execute(
        """select distinct t.hold_id, case b.shape when 'documents' then 'resource' else r.source || '__' || r.dataset end,
                  r.data_class, r.received_month
           from lifecycle.held_person t join lifecycle.record r using (person_token)
           join lifecycle.batch b using (batch_seq) where r.tier = 'hot'"""
    ):
        held[table, month, data_class].add(hold_id)
    return [
        replace(
            unit,
            held_people=frozenset().union(*(held[unit.raw_table, unit.received_month, c] for c in unit.data_classes)),
        )
        for unit in partitions
    ]


def read_files(hot) -> list[Unit]:
    """Files in cold and archive, and those destroyed whose locked bytes remain."""
    rows = hot.execute(
        """select f.object_key, f.tier, f.data_class, f.received_month, f.records, f.bytes, f.sources, f.raw_table, f.file_id,
                  f.event_year, f.first_event, f.last_event, coalesce(h.holds, '{}'), f.with_person,
                  f.with_person and exists (
                      select from lifecycle.record mine join lifecycle.record other using (person_token)
                      left join lifecycle.cold_file of on of.file_id = other.file_id
                      where mine.file_id = f.file_id and other.tier in ('hot', 'cold', 'archive')
                        and not coalesce(of.with_person, false)),
                  a.file_id is not null, f.bytes_remain_until, l.until, f.locked_until, f.last_read
           from lifecycle.cold_file f
           left join (select r.file_id, array_agg(distinct t.hold_id) as holds
                      from lifecycle.held_person t join lifecycle.record r using (person_token)
                      where r.file_id is not null group by 1) h using (file_id)
           left join lifecycle.approval a using (file_id)
           left join lifecycle.loan l using (file_id)
           where f.tier in ('cold', 'archive') or (f.tier = 'destroyed' and f.bytes_remain_until is not null)
           order by f.object_key"""
    ).fetchall()
    return [_file(*row) for row in rows]


def _file(
    key,
    tier,
    data_class,
    month,
    records,
    size,
    sources,
    table,
    file_id,
    year,
    first,
    last,
    held,
    with_person,
    lives,
    approved,
    remain,
    loan,
    locked,
    last_read,
) -> Unit:
    return Unit(
        key, "file", tier, (data_class,), month, records, size, tuple(sources), table, file_id, year, first, last,
        frozenset(held), with_person, lives, approved, remain, loan, locked, last_read=last_read,
    )  # fmt: skip


def _with_minors(hot, files: list[Unit], retention: Retention, today: date) -> list[Unit]:
    """When the youngest person of a file was born, where the file would end today and its class keeps minors' records longer.

    A year or a month alone counts from its last day, and what any source says of the person counts for the records of all:
    nobody's record ends early for want of a birthday.
    """
    ending = [
        unit.file_id
        for unit in files
        if unit.tier in ("cold", "archive")
        and (rule := retention.rule_of(unit)).minors_until_age is not None
        and today > rule.ends_after(unit.event_year)
    ]
    if not ending:
        return files
    rows = hot.execute(
        """select r.file_id, max(e.born_by) from lifecycle.record r
           left join restricted.person_link named using (person_token)
           left join restricted.person_link same on same.person_key = named.person_key
           join restricted.person_evidence e on e.person_token = coalesce(same.person_token, r.person_token)
           where r.file_id = any(%s) and e.born_by is not null group by 1""",
        [ending],
    ).fetchall()
    born = dict(rows)
    return [replace(unit, youngest_born=born[unit.file_id]) if unit.file_id in born else unit for unit in files]


def held_in_landing(hot) -> dict[tuple[str, date], set[int]]:
    """Source and night -> ids of holds whose person has a record in what was delivered then and is still there."""
    held = defaultdict(set)
    for hold_id, source, night in hot.execute(
        """select distinct t.hold_id, o.source, o.first_night
           from lifecycle.held_person t join lifecycle.record r using (person_token) join lifecycle.batch b using (batch_seq)
           join lifecycle.batch_object x using (batch_id)
           join lifecycle.landing_object o on o.source = x.source and o.sha256 = x.sha256 where o.removed_night is null"""
    ):
        held[source, night].add(hold_id)
    return held


def read_landing(hot) -> list[Unit]:
    """What each source delivered in each night and is still there as received."""
    rows = hot.execute(
        """select o.source, o.first_night, count(*), sum(o.bytes_stored),
                  bool_or(exists (select from lifecycle.batch_object x join lifecycle.batch b using (batch_id)
                                  where x.source = o.source and x.sha256 = o.sha256
                                    and b.state not in ('promoted', 'held_back'))),
                  bool_or(exists (select from lifecycle.batch_object x join quality.quarantine q using (batch_id)
                                  where x.source = o.source and x.sha256 = o.sha256 and q.state = 'open'
                                    and coalesce(q.object_sha256, o.sha256) = o.sha256))
           from lifecycle.landing_object o where o.removed_night is null group by 1, 2 order by 1, 2"""
    ).fetchall()
    held = held_in_landing(hot)
    return [
        Unit(
            f"landing/{source}/{night}",
            "landing",
            "landing",
            (),
            night,
            objects,
            int(size),
            (source,),
            held_people=frozenset(held[source, night]),
            unfinished=unfinished,
            refused_waiting=refused,
        )  # fmt: skip
        for source, night, objects, size, unfinished, refused in rows
    ]
