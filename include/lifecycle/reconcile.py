"""Checks that every record is in exactly one place, or stated to be on the way: the catalogue against Postgres and the store."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from psycopg import sql

from include.lifecycle import store
from include.settings import Settings

# Kinds that break "nothing lost"; the others are leftovers that cost room.
LOSSES = (
    "record_nowhere",
    "record_twice",
    "row_uncatalogued",
    "row_doubled",
    "file_count",
    "file_missing",
    "file_altered",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not where the books say. ``kind`` is a code, ``subject`` a table or key, ``count`` rows or objects."""

    kind: str
    subject: str
    count: int
    says: str


def check_places(settings: Settings | None = None) -> list[Finding]:
    """Everything out of place, nothing when all is well. Reads one snapshot of Postgres and lists both buckets.

    Costs one pass over ``lifecycle.record`` and the ids of ``raw``; it never reads a file's content (``deep_check`` does).
    """
    from include.warehouse.connect import connect

    settings = settings or Settings.from_environment()
    s3 = store.open_store(settings)
    listed = {tier: _sizes(s3, bucket) for tier, bucket in _buckets(settings).items()}
    with connect("lifecycle", settings=settings) as hot:
        hot.execute("set transaction isolation level repeatable read read only")
        return [
            *_hot_rows(hot),
            *_file_counts(hot),
            *_stored_files(hot, listed),
            *_strays(hot, listed),
            *_leftovers(hot),
        ]


def deep_check(settings: Settings | None = None, classes: Collection[str] | None = None) -> list[Finding]:
    """Read every file in cold and the archive that can be read and compare its checksum. As long as the data is big.

    ``classes``: files of these data classes only. What lies frozen is compared by the checksum that the store tells.
    """
    import tempfile
    from pathlib import Path

    from include.warehouse.connect import connect

    settings = settings or Settings.from_environment()
    s3, findings = store.open_store(settings), []
    with (
        connect("lifecycle", settings=settings) as hot,
        tempfile.TemporaryDirectory(prefix="plumbline-check-") as folder,
    ):
        rows = hot.execute(
            """select object_key, tier, sha256 from lifecycle.cold_file
               where tier in ('cold', 'archive') and (%(classes)s::text[] is null or data_class = any(%(classes)s))""",
            {"classes": None if classes is None else list(classes)},
        ).fetchall()
        for key, tier, sha256 in rows:
            try:
                same = store.get_file(s3, _buckets(settings)[tier], key, Path(folder) / "file") == sha256
            except store.NotRestoredError:
                stored = store.look(s3, _buckets(settings)[tier], key)
                same = stored is not None and stored.sha256 in (None, sha256)
            except store.StoreError:
                same = False
            if not same:
                findings.append(
                    Finding("file_altered", key, 1, "the file is missing or has another checksum than the catalogue")
                )
    return findings


def _buckets(settings: Settings) -> dict[str, str]:
    return {"cold": settings.bucket_cold, "archive": settings.bucket_archive}


def _sizes(s3, bucket: str) -> dict[str, int]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {found["Key"]: found["Size"] for page in pages for found in page.get("Contents", ())}


def _hot_rows(hot) -> Iterator[Finding]:
    """Rows of raw against records placed in hot, both ways. Lent rows are copies and belong to their file."""
    roots = [
        row[0] for row in hot.execute("select distinct raw_table from lifecycle.hot_partition order by 1").fetchall()
    ]
    pieces = [sql.SQL("select record_id from {}").format(sql.Identifier("raw", root)) for root in roots]
    here = sql.SQL(" union all ").join(pieces) if pieces else sql.SQL("select null::uuid as record_id where false")
    missing, homeless, twice, doubled = hot.execute(
        sql.SQL(
            """with here as ({here}), counted as (select record_id, count(*) as times from here group by 1)
               select count(*) filter (where c.record_id is null and r.tier = 'hot'),
                      count(*) filter (where r.record_id is null),
                      count(*) filter (where c.record_id is not null and r.tier <> 'hot' and l.file_id is null),
                      count(*) filter (where c.times > 1)
               from lifecycle.record r full join counted c on c.record_id = r.record_id
               left join lifecycle.loan l on l.file_id = r.file_id"""
        ).format(here=here)
    ).fetchone()
    if missing:
        yield Finding("record_nowhere", "raw", missing, "the catalogue places records in hot that raw does not have")
    if homeless:
        yield Finding("row_uncatalogued", "raw", homeless, "raw has rows that the catalogue does not know")
    if twice:
        yield Finding(
            "record_twice", "raw", twice, "raw has rows that the catalogue places elsewhere and nobody borrowed"
        )
    if doubled:
        yield Finding("row_doubled", "raw", doubled, "raw has records more than once")


def _file_counts(hot) -> Iterator[Finding]:
    """Records placed in a file against the rows it was written with; a record's tier against its file's."""
    for key, written, placed in hot.execute(
        """select f.object_key, f.records, count(r.record_id) filter (where r.tier in (f.tier, 'erased'))
           from lifecycle.cold_file f left join lifecycle.record r using (file_id)
           where f.tier in ('cold', 'archive', 'destroyed') group by f.file_id
           having f.records <> count(r.record_id) filter (where r.tier in (f.tier, 'erased'))"""
    ):
        yield Finding(
            "file_count",
            key,
            abs(written - placed),
            "the catalogue places more or fewer records in a file than it holds",
        )
    homeless = hot.execute(
        """select count(*) from lifecycle.record r left join lifecycle.cold_file f using (file_id)
           where r.tier in ('cold', 'archive', 'destroyed') and f.file_id is null"""
    ).fetchone()[0]
    if homeless:
        yield Finding(
            "record_nowhere",
            "lifecycle.cold_file",
            homeless,
            "records are placed in files that the catalogue does not know",
        )


def _stored_files(hot, listed: dict[str, dict[str, int]]) -> Iterator[Finding]:
    for key, tier, size in hot.execute(
        "select object_key, tier, bytes from lifecycle.cold_file where tier in ('cold', 'archive') order by object_key"
    ):
        found = listed[tier].get(key)
        if found != size:
            says = (
                f"the {tier} bucket has no such object"
                if found is None
                else "the object has another size than was written"
            )
            yield Finding("file_missing" if found is None else "file_altered", key, 1, says)


def _strays(hot, listed: dict[str, dict[str, int]]) -> Iterator[Finding]:
    """Objects nobody speaks for. Those of a move under way are spoken for by the move."""
    spoken_for, abandoned = {"cold": set(), "archive": set()}, set()
    for key, tier, moving, remains in hot.execute(
        """select f.object_key, f.tier, exists (select from lifecycle.move m left join lifecycle.move_file x using (move_id)
                       where m.state in ('copying', 'verified', 'catalogued')
                         and (x.file_id = f.file_id or m.subject = f.object_key)),
                  f.bytes_remain_until is not null from lifecycle.cold_file f"""
    ):
        abandoned |= {key} if tier == "abandoned" else set()
        places = {"cold", "archive"} if moving else {tier} & {"cold", "archive"}
        for place in places | ({"archive"} if remains else set()):
            spoken_for[place].add(key)
    for tier, sizes in listed.items():
        for key in sorted(sizes.keys() - spoken_for[tier]):
            yield _stray(tier, key, late=tier == "cold" and key in abandoned)


def _stray(tier: str, key: str, *, late: bool) -> Finding:
    if late:
        says = (
            "the store finished an upload of an abandoned copy late; nobody can open it, and the next apply removes it"
        )
        return Finding("late_copy", key, 1, says)
    return Finding("stray_object", key, 1, f"the {tier} bucket has an object that the catalogue does not place there")


def _leftovers(hot) -> Iterator[Finding]:
    for (table,) in hot.execute(
        """select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where n.nspname = 'detached' and c.relkind = 'r'
             and not exists (select from lifecycle.move m where m.detached_table = c.relname and m.state = 'catalogued')"""
    ):
        yield Finding("table_left", f"detached.{table}", 1, "a detached month that no move under way will drop")
