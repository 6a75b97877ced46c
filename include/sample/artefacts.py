"""Everything a night leaves: every table of every database, objects, files, servers' logs, messages. Read, not judged.

What is searched is not listed: a schema, a table, a bucket of the settings or a folder that is new is searched as the others are. Left out is
what holds data as sources sent it or under seal (the sample itself, the servers' own files) and what opens seals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import psycopg
from psycopg import sql

from include.alerts.tell import read_message
from include.landing.object_store import open_store
from include.settings import Settings
from include.warehouse.connect import DATABASES, OWNER, connect

# Below the home: the sources, secrets and keys, and what the two servers keep of the databases and objects read here.
NOT_SEARCHED = ("sample", "secrets", "keyring", "objects", "s3", "postgres/data", "postgres/software")
LEAST_NUMBER = 1_000_000  # smaller ones are counts, and no number of a person is as short
MOST_BYTES = 1 << 20  # of an object whose content is searched: manifests and the like; data in objects is sealed
_NUMBERS = ("int4", "int8", "float4", "float8", "numeric")
_TEXTS = ("json", "jsonb", "tsvector", "xml")


def iterate_night(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield (place, text) of all that a night leaves."""
    for database in DATABASES:
        yield from iterate_database(database, OWNER, settings)
    yield from iterate_database("airflow", "airflow", settings)
    yield from iterate_objects(settings)
    yield from iterate_files(settings.home)
    yield from iterate_alerts(settings)


def iterate_database(database: str, role: str, settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield (database.schema.table.column, value) of every distinct text, JSON, list and large number of every table that the role
    may read; views show the same, sealed columns are no text."""
    with connect(role, database, settings) as books:
        for schema, table, name, is_number in _columns(books):
            column = sql.Identifier(name)
            query = sql.SQL("select distinct {column}::text from {table} where {searched}").format(
                column=column, table=sql.Identifier(schema, table), searched=_searched(column, is_number=is_number)
            )
            with books.cursor(name="texts") as cursor:
                for (value,) in cursor.execute(query):
                    yield f"{database}.{schema}.{table}.{name}", value


def _columns(books: psycopg.Connection) -> list[tuple[str, str, str, bool]]:
    return books.execute(
        """select n.nspname, r.relname, a.attname, t.typname = any(%s)
           from pg_attribute a join pg_class r on r.oid = a.attrelid join pg_namespace n on n.oid = r.relnamespace
           join pg_type t on t.oid = a.atttypid
           where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and r.relkind in ('r', 'm', 'p') and not r.relispartition
             and a.attnum > 0 and not a.attisdropped and (t.typcategory in ('S', 'A') or t.typname = any(%s))
             and has_schema_privilege(n.oid, 'usage') and has_column_privilege(r.oid, a.attnum, 'select')
           order by 1, 2, 3""",
        [list(_NUMBERS), [*_TEXTS, *_NUMBERS]],
    ).fetchall()


def _searched(column: sql.Identifier, *, is_number: bool) -> sql.Composable:
    if not is_number:
        return sql.SQL("{} is not null").format(column)
    return sql.SQL("{column} not between -{least} and {least}").format(column=column, least=sql.Literal(LEAST_NUMBER))


def iterate_objects(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield (bucket, text) of every object's key and what is told beside it, and the lines of small ones that are text."""
    store = open_store(settings)
    buckets = {getattr(settings, each.name) for each in fields(settings) if each.name.startswith("bucket_")}
    for bucket in sorted(buckets & {each["Name"] for each in store.list_buckets()["Buckets"]}):
        for page in store.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for each in page.get("Contents", ()):
                yield f"object {bucket}", each["Key"]
                told = store.head_object(Bucket=bucket, Key=each["Key"])
                yield f"object {bucket}", repr(sorted(told["Metadata"].items()))
                if each["Size"] <= MOST_BYTES:
                    body = store.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
                    yield from ((f"object {bucket}", line) for line in _as_text(body).splitlines())


def _as_text(body: bytes) -> str:
    """The content where it is text; what is sealed or packed is none."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return ""


def iterate_files(home: Path) -> Iterator[tuple[str, str]]:
    """Yield (file below the home, line) of every file that is there, the servers' logs among them, and each file's name."""
    for file in sorted(home.rglob("*")):
        place = file.relative_to(home).as_posix()
        if place.startswith(tuple(f"{folder}/" for folder in NOT_SEARCHED)) or not file.is_file():
            continue
        yield place, place
        with file.open("rb") as lines:
            yield from ((place, line.decode("utf-8", "replace").rstrip("\r\n")) for line in lines)


def iterate_alerts(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield (message, text) of what is sent of every night that has a verdict."""
    with connect(OWNER, "hot", settings) as books:
        nights = books.execute("select night from lifecycle.night where verdict is not null order by 1").fetchall()
    for (night,) in nights:
        yield f"message of {night}", repr(read_message(night, settings).as_json())
