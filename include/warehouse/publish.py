"""Publishes the candidate marts: copies what changed to warm as a new version, then flips every view in one UPDATE.

Analysts read stable views. Each view shows, of its versioned table, the partition that
``governance.published_version`` names. Making a version attaches a partition, which waits for no reader and makes
none wait; an old version goes once no running transaction can still look back to it. See
``include/decisions/0002-publishing-by-pointer.md``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg import errors, sql

from include.errors import PlumblineError
from include.nights import refuse_older, step
from include.settings import Settings
from include.warehouse.build import CANDIDATES
from include.warehouse.connect import connect
from include.warehouse.purposes import publish_opt_outs
from include.warehouse.released import record_release
from include.warehouse.row_release import is_held_until_month_end


class PublishError(PlumblineError):
    """The candidate marts cannot take the place of the published ones."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a candidate table, with its SQL type as Postgres prints it."""

    name: str
    type: str
    description: str | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate table: its public name (``clinical.encounters``), shape, size and a hash over its rows."""

    relation: str
    description: str | None
    columns: tuple[Column, ...]
    rows: int
    content_hash: str

    @property
    def schema(self) -> str:
        return self.relation.split(".")[0]

    @property
    def table(self) -> str:
        return self.relation.split(".")[1]

    @property
    def is_row_level(self) -> bool:
        """True where one row is about one person: for analysts only."""
        return self.schema == "clinical" or any(column.name == "person_key" for column in self.columns)


def publish(night: date, settings: Settings | None = None, *, over_newer: bool = True) -> dict[str, int]:
    """Make the candidate marts the published ones. Returns how many tables changed, stayed and how many rows went over.

    Raises OlderNightError where a later night is published and ``over_newer`` is False; analysts then still see that one. Safe to kill anywhere and run again: until the one UPDATE at the end, every reader sees the last good night.
    """
    settings = settings or Settings.from_environment(os.environ)
    with (
        step(night, "publish", role="publisher", settings=settings) as running,
        connect("publisher", "hot", settings) as hot,
        connect("publisher", "warm", settings, autocommit=True) as warm,
    ):
        warm.execute("select pg_advisory_lock(hashtext('plumbline.publish'))")
        if not over_newer:
            refuse_older(hot, night, say_instead="say so with the run's parameter 'older'")
        candidates = read_candidates(hot)
        published = read_published(warm)
        due = [c for c in candidates if not _may_wait(c, published, night, settings)]
        changed = [c for c in due if _differs(c, published)]
        versions = {c.relation: _make_version(hot, warm, c, night) for c in changed}
        publish_opt_outs(hot, warm, night)
        released = record_release(night, settings)
        _flip(warm, {c.relation: c for c in changed}, versions, night)
        dropped = drop_unreadable_versions(warm)
        counts = {
            "tables_changed": len(changed),
            "tables_unchanged": len(candidates) - len(changed),
            "rows": sum(candidate.rows for candidate in changed),
            "versions_dropped": dropped,
            **released,
        }
        running.count(**counts)
        hot.execute("select audit.append('marts.published', %s, %s)", [str(night), psycopg.types.json.Jsonb(counts)])
        return counts


def read_candidates(hot: psycopg.Connection) -> tuple[Candidate, ...]:
    """Every table of the candidate schemas, hashed row by row in one scan each."""
    tables = hot.execute(
        """select n.nspname, c.relname, obj_description(c.oid, 'pg_class'), c.oid
           from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where n.nspname = any(%s) and c.relkind in ('r', 'p', 'm') order by 1, 2""",
        [list(CANDIDATES)],
    ).fetchall()
    return tuple(_read_candidate(hot, *table) for table in tables)


def _read_candidate(hot: psycopg.Connection, schema: str, table: str, description: str | None, oid: int) -> Candidate:
    columns = hot.execute(
        """select attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum)
           from pg_attribute where attrelid = %s and attnum > 0 and not attisdropped order by attnum""",
        [oid],
    ).fetchall()
    # A sum of row hashes: independent of row order, and repeated rows count (unlike an exclusive or).
    rows, content_hash = hot.execute(
        sql.SQL("select count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text from {} t").format(
            sql.Identifier(schema, table)
        )
    ).fetchone()
    relation = f"{schema.removeprefix('candidate_')}.{table}"
    return Candidate(relation, description, tuple(Column(*column) for column in columns), rows, content_hash)


def read_published(warm: psycopg.Connection) -> dict[str, tuple[int, str, date, int]]:
    """Version, content hash, night and column count by relation, as analysts see them now."""
    rows = warm.execute(
        """select p.relation, p.version, p.content_hash, p.night,
                  (select count(*) from pg_attribute where attrelid = to_regclass(p.relation) and attnum > 0
                   and not attisdropped)
           from governance.published_version p"""
    ).fetchall()
    return {row[0]: row[1:] for row in rows}


def _differs(candidate: Candidate, published: Mapping[str, tuple[int, str, date, int]]) -> bool:
    if candidate.relation not in published:
        return True
    _, content_hash, _, columns = published[candidate.relation]
    return candidate.content_hash != content_hash or len(candidate.columns) > columns


def _may_wait(candidate: Candidate, published: Mapping, night: date, settings: Settings) -> bool:
    if not candidate.is_row_level or candidate.relation not in published:
        return False
    return is_held_until_month_end(shown_night=published[candidate.relation][2], night=night)


def _parent(candidate: Candidate) -> sql.Identifier:
    return sql.Identifier("versions", f"{candidate.schema}__{candidate.table}")


def _partition_name(relation: str, version: int) -> str:
    return f"{relation.replace('.', '__')}__v{version}"


def _make_version(hot: psycopg.Connection, warm: psycopg.Connection, candidate: Candidate, night: date) -> int:
    """Copy one candidate over as a version that nobody sees yet; returns its number."""
    _ensure_parent_and_view(warm, candidate)
    with warm.transaction():
        (version,) = warm.execute(
            "select coalesce(max(version), 0) + 1 from governance.version where relation = %s", [candidate.relation]
        ).fetchone()
        name = _partition_name(candidate.relation, version)
        _copy(hot, warm, candidate, name, version)
        warm.execute("set local lock_timeout = '5s'")
        warm.execute(
            sql.SQL("alter table {} attach partition {} for values in ({})").format(
                _parent(candidate), sql.Identifier("versions", name), sql.Literal(version)
            )
        )
        warm.execute(
            """insert into governance.version (relation, version, night, rows, content_hash, table_name)
               values (%s, %s, %s, %s, %s, %s)""",
            [candidate.relation, version, night, candidate.rows, candidate.content_hash, name],
        )
    warm.execute(sql.SQL("analyze {}").format(sql.Identifier("versions", name)))
    return version


def _copy(hot, warm, candidate: Candidate, name: str, version: int) -> None:
    table = sql.Identifier("versions", name)
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in candidate.columns)
    # Columns in the parent's own order, so that a partition always fits it.
    warm.execute(sql.SQL("create table {} (like {})").format(table, _parent(candidate)))
    warm.execute(sql.SQL("alter table {} alter column _version set default {}").format(table, sql.Literal(version)))
    warm.execute(
        sql.SQL("alter table {} add constraint is_version check (_version = {})").format(table, sql.Literal(version))
    )
    source = sql.SQL("copy (select {} from {}) to stdout (format binary)").format(
        names, sql.Identifier(f"candidate_{candidate.schema}", candidate.table)
    )
    target = sql.SQL("copy {} ({}) from stdin (format binary)").format(table, names)
    with hot.cursor() as out, warm.cursor() as into, out.copy(source) as reading, into.copy(target) as writing:
        for block in reading:
            writing.write(block)
    warm.execute(sql.SQL("alter table {} alter column _version set not null").format(table))
    if any(column.name == "person_key" for column in candidate.columns):
        warm.execute(sql.SQL("create index on {} (person_key)").format(table))
    for column in candidate.columns:
        if column.type == "tsvector":
            warm.execute(sql.SQL("create index on {} using gin ({})").format(table, sql.Identifier(column.name)))


def _ensure_parent_and_view(warm: psycopg.Connection, candidate: Candidate) -> None:
    view = sql.Identifier(candidate.schema, candidate.table)
    parent_name = f"versions.{candidate.schema}__{candidate.table}"
    shown = dict(
        warm.execute(
            """select attname, format_type(atttypid, atttypmod) from pg_attribute
               where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum""",
            [parent_name],
        ).fetchall()
    )
    _refuse_changed_types(candidate, shown)
    new = [column for column in candidate.columns if column.name not in shown]
    if not new and shown:
        return
    with warm.transaction():
        warm.execute("set local lock_timeout = '5s'")
        if not shown:
            warm.execute(
                sql.SQL("create table {} (_version integer not null) partition by list (_version)").format(
                    _parent(candidate)
                )
            )
        for column in new:
            warm.execute(
                sql.SQL("alter table {} add column {} {}").format(
                    _parent(candidate), sql.Identifier(column.name), sql.SQL(column.type)
                )
            )
        names = [name for name in shown if name != "_version"] + [column.name for column in new]
        _make_view(warm, candidate, view, names)


def _make_view(warm, candidate: Candidate, view: sql.Identifier, names: Iterable[str]) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    # The subquery runs once and prunes every other version away before a row is read.
    warm.execute(
        sql.SQL(
            "create or replace view {view} as select {columns} from {parent} where _version = "
            "(select version from governance.published_version where relation = {relation})"
        ).format(view=view, columns=columns, parent=_parent(candidate), relation=sql.Literal(candidate.relation))
    )
    readers = ["analyst"] if candidate.is_row_level else ["analyst", "reader", "api"]
    for role in readers:
        warm.execute(sql.SQL("grant select on {} to {}").format(view, sql.Identifier(role)))
    warm.execute(sql.SQL("comment on view {} is {}").format(view, sql.Literal(candidate.description)))
    for column in candidate.columns:
        warm.execute(
            sql.SQL("comment on column {}.{} is {}").format(
                view, sql.Identifier(column.name), sql.Literal(column.description)
            )
        )


def _refuse_changed_types(candidate: Candidate, shown: Mapping[str, str]) -> None:
    changed = [c.name for c in candidate.columns if c.name in shown and shown[c.name] != c.type]
    if changed:
        raise PublishError(
            found=f"{candidate.relation} changed the type of {', '.join(changed)}",
            expected="published columns to keep their type, since analysts' own views stand on them",
            action="give the new column a new name and keep the old one until nobody reads it",
        )


def _flip(warm, changed: Mapping[str, Candidate], versions: Mapping[str, int], night: date) -> None:
    """One statement: before it every view shows the last good night, after it this one."""
    if not versions:
        return
    with warm.transaction():
        relations = list(versions)
        warm.execute(
            """insert into governance.published_version (relation, version, night, rows, content_hash)
               select * from unnest(%s::text[], %s::int[], %s::date[], %s::bigint[], %s::text[])
               on conflict (relation) do update set version = excluded.version, night = excluded.night,
                   rows = excluded.rows, content_hash = excluded.content_hash, published_at = clock_timestamp()""",
            [relations, list(versions.values()), [night] * len(relations),
             [changed[r].rows for r in relations], [changed[r].content_hash for r in relations]],
        )  # fmt: skip
        warm.execute(
            """update governance.version v set retired_at = clock_timestamp(), retired_xid = pg_current_xact_id()
               from governance.published_version p
               where p.relation = v.relation and v.version < p.version and v.retired_at is null"""
        )


def drop_unreadable_versions(warm: psycopg.Connection) -> int:
    """Drop retired versions that no running transaction can still see. One that is in use waits for another night."""
    due = warm.execute(
        """select relation, version, table_name from governance.version
           where retired_xid < governance.oldest_snapshot()"""
    ).fetchall()
    return sum(_drop_version(warm, *version) for version in due)


def _drop_version(warm: psycopg.Connection, relation: str, version: int, table_name: str) -> int:
    parent = sql.Identifier("versions", relation.replace(".", "__"))
    try:
        with warm.transaction():
            # Short, because readers queue behind a waiting DETACH.
            warm.execute("set local lock_timeout = '200ms'")
            warm.execute(
                sql.SQL("alter table {} detach partition {}").format(parent, sql.Identifier("versions", table_name))
            )
            warm.execute(sql.SQL("drop table {}").format(sql.Identifier("versions", table_name)))
            warm.execute("delete from governance.version where relation = %s and version = %s", [relation, version])
    except errors.LockNotAvailable:
        return 0
    return 1
