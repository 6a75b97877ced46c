"""Takes a person out of the databases: keys destroyed, rows gone from hot, staging, marts and analysts' workspaces.

Every function may be done again and again; a night's erasure and the restoring of a backup use the same ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from uuid import UUID

from psycopg import sql

from include.settings import Settings
from include.warehouse.connect import connect

# Who owns tables in which a person may stand, and where. raw is the owner's; its function does it.
_OWNERS = (("loader", "hot"), ("transformer", "hot"), ("publisher", "warm"), ("analyst", "warm"))
_PERSON_COLUMNS = ("person_token", "person_key")


def person_of(hot, tokens: Collection[UUID]) -> dict[UUID, UUID | None]:
    """Every token of the persons that these tokens belong to, with its person key; None where none was resolved."""
    rows = hot.execute(
        """select same.person_token, same.person_key from restricted.person_link named
           join restricted.person_link same using (person_key) where named.person_token = any(%s)""",
        [list(tokens)],
    ).fetchall()
    return {**dict.fromkeys(tokens), **dict(rows)}


def destroy_person_keys(settings: Settings, tokens: Collection[UUID]) -> int:
    """Destroy the data keys of these tokens for good, also of those that never had one. Returns keys that existed.

    The row stays, so that no key is ever made for the token again: the loader refuses what arrives later.
    """
    with connect("sealer", "keys", settings) as books:
        ids = [f"person:{token}" for token in sorted(tokens, key=str)]
        gone = books.execute(
            """update keys.data_key set wrapped = null, destroyed_at = clock_timestamp()
               where key_id = any(%s) and wrapped is not null""",
            [ids],
        ).rowcount
        books.execute(
            """insert into keys.data_key (key_id, kek_version, wrapped, destroyed_at)
               select id, 0, null, clock_timestamp() from unnest(%s::text[]) id on conflict (key_id) do nothing""",
            [ids],
        )
    return gone


def remove_rows(settings: Settings, tokens: Collection[UUID], person_keys: Collection[UUID]) -> dict[str, int]:
    """Delete every row about the person outside raw. Returns rows removed: waiting, restricted_layers, published, workspace."""
    counts = {}
    for (role, database), name in zip(_OWNERS, ("waiting", "restricted_layers", "published", "workspace"), strict=True):
        with connect(role, database, settings) as books:
            counts[name] = sum(_delete(books, table, tokens, person_keys) for table in list(_owned_tables(books)))
            if role == "transformer":
                # The marts no longer stand on what they were built from: the next build makes them anew.
                books.execute("delete from quality.build_state")
                counts[name] += _forget_persons(books, tokens, person_keys)
            if role == "publisher":
                keys = [str(key) for key in person_keys]
                books.execute("delete from purposes.opted_out where person_key = any(%s)", [keys])
                count_published(books)
    return counts


def remaining_rows(settings: Settings, tokens: Collection[UUID], person_keys: Collection[UUID]) -> dict[str, int]:
    """Rows that still tell of the person, by table, in hot (raw included) and warm. Empty when nothing does."""
    left: dict[str, int] = {}
    for database in ("hot", "warm"):
        with connect("postgres", database, settings) as books:
            for schema, table, column in tables_naming_persons(books):
                ids = tokens if column == "person_token" else person_keys
                query = sql.SQL("select count(*) from {} where {}::text = any(%s)").format(
                    sql.Identifier(schema, table), sql.Identifier(column)
                )
                found = books.execute(query, [[str(an_id) for an_id in ids]]).fetchone()[0]
                if found:
                    left[f"{schema}.{table}"] = max(found, left.get(f"{schema}.{table}", 0))
    return {name: count for name, count in left.items() if name not in TOMBSTONES}


# What must stay, so that the person is known and refused when they are sent again; a hold names whom it is about.
# What was pulled of a row is keyed hashes; without it, the same row would come back as news every night.
TOMBSTONES = {"lifecycle.record", "lifecycle.erasure_person", "lifecycle.hold", "lifecycle.pulled_row"}


def tables_naming_persons(books) -> Iterator[tuple[str, str, str]]:
    """Schema, table and column of every table of the connected role (of anybody, for a superuser) that names persons."""
    return _tables(books, None)


def _owned_tables(books) -> Iterator[tuple[str, str, str]]:
    return _tables(books, "restricted")


def _tables(books, without_schema: str | None) -> Iterator[tuple[str, str, str]]:
    """Tables with a column that names a person: of the connected role where it is not a superuser."""
    yield from books.execute(
        """select n.nspname, c.relname, a.attname::text
           from pg_class c join pg_namespace n on n.oid = c.relnamespace
           join pg_attribute a on a.attrelid = c.oid and a.attname = any(%(names)s) and not a.attisdropped
           where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence <> 't'
             and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname is distinct from %(without)s
             and (pg_get_userbyid(c.relowner) = current_user or (select rolsuper from pg_roles where rolname = current_user))
           order by 1, 2, 3""",
        {"names": list(_PERSON_COLUMNS), "without": without_schema},
    ).fetchall()


def _delete(books, table: tuple[str, str, str], tokens: Collection[UUID], person_keys: Collection[UUID]) -> int:
    schema, name, column = table
    ids = tokens if column == "person_token" else person_keys
    if not ids:
        return 0
    query = sql.SQL("delete from {} where {}::text = any(%s)").format(
        sql.Identifier(schema, name), sql.Identifier(column)
    )
    return books.execute(query, [[str(an_id) for an_id in ids]]).rowcount


def _forget_persons(books, tokens: Collection[UUID], person_keys: Collection[UUID]) -> int:
    """Who the tokens belong to; a person none of whose tokens is left goes as well."""
    ids, removed = list(tokens), 0
    books.execute("delete from restricted.opted_out where person_key = any(%s)", [list(person_keys)])
    for table in ("identity_review", "identity_decision"):
        query = sql.SQL("delete from restricted.{} where one = any(%s) or other = any(%s)").format(
            sql.Identifier(table)
        )
        removed += books.execute(query, [ids, ids]).rowcount
    for table in ("person_link", "person_evidence", "document_text", "consent", "opt_out"):
        query = sql.SQL("delete from restricted.{} where person_token = any(%s)").format(sql.Identifier(table))
        removed += books.execute(query, [ids]).rowcount
    return (
        removed
        + books.execute(
            """delete from restricted.person p
               where not exists (select from restricted.person_link l where l.person_key = p.person_key)"""
        ).rowcount
    )


def count_published(warm) -> None:
    """The books of published versions count the rows that are there."""
    rows = warm.execute(
        """select p.relation, v.table_name from governance.published_version p
           join governance.version v using (relation, version)"""
    ).fetchall()
    for relation, table in rows:
        query = sql.SQL(
            """update governance.published_version set rows = n from (select count(*) as n from {}) counted
               where relation = %s and rows <> n"""
        ).format(sql.Identifier("versions", table))
        warm.execute(query, [relation])
