"""Who can read what, when they last acted, what nobody uses; and the trail's word on changed grants and policies."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from include.audit.chain import append
from include.audit.server_log import take_up_log
from include.settings import Settings
from include.warehouse.connect import OWNER, connect

POLICIES = Path(__file__).parents[1] / "policies"
UNUSED_DAYS = 90
_DATABASES = ("hot", "warm")
# Databases whose grants are watched, and as whom: nobody but the sealer may enter keys.
_WATCHED = {"hot": "privacy_officer", "warm": "privacy_officer", "keys": "sealer"}
# Tables that the night's own steps make and grant each night: no person's doing.
_MADE_NIGHTLY = "^(intake|detached|staging|intermediate|candidate_.*|dev_.*|versions|workspace|clinical|measures|equity|research|public_health)$"
_READABLE = """
    select r.role, n.nspname, c.relname, r.privilege
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    cross join lateral (
        select role, privilege from unnest(%(roles)s::name[]) role, unnest(%(privileges)s::text[]) privilege
        where has_schema_privilege(role, n.oid, 'usage') and has_table_privilege(role, c.oid, privilege)
           or (privilege = 'SELECT' and has_schema_privilege(role, n.oid, 'usage') and has_any_column_privilege(role, c.oid, 'select'))
    ) r
    where c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition and n.nspname !~ '^(pg_|information_schema)'
    order by 1, 2, 3, 4"""

# What was taken up from the server's log was done by the role that it names, not by the one that took it up.
_LAST_ACTS = """
    select split_part(actor, ' ', case when action in ('table.read', 'session.started') then 2 else 1 end), max(at)
    from audit.entry where action <> 'login.refused' group by 1"""
# What a role may do whatever is granted on tables: it belongs to the server, not to a database.
_POWERS = """
    select rolname::text, 'role ' || power, 'holds' from pg_roles
    cross join lateral (values ('superuser', rolsuper), ('createrole', rolcreaterole), ('createdb', rolcreatedb),
                               ('replication', rolreplication), ('bypassrls', rolbypassrls), ('login', rolcanlogin)) p (power, has)
    where has and rolname !~ '^pg_'
    union all
    select member.rolname, 'role ' || granted.rolname, 'belongs to' from pg_auth_members m
    join pg_roles granted on granted.oid = m.roleid join pg_roles member on member.oid = m.member where member.rolname !~ '^pg_'"""
_SERVER = "server"


@dataclass(frozen=True, slots=True)
class Access:
    """What a role may read in a schema, when it last did anything that the trail knows, and what nobody has read lately.

    ``tables`` counts what it may read, ``unused`` those of them that no session scanned for 90 days (None: Postgres has not
    counted for that long). ``last_act`` is the role's newest entry in the trail.
    """

    role: str
    database: str
    schema: str
    tables: int
    unused: int | None
    last_act: datetime | None

    @property
    def is_dormant(self) -> bool:
        """True where the role did nothing that the trail knows for 90 days."""
        return self.last_act is None or self.last_act < datetime.now(UTC) - timedelta(days=UNUSED_DAYS)


def review_access(settings: Settings) -> list[Access]:
    """Every role and schema it may read in hot and warm. Reads the catalogue and the trail; changes nothing."""
    with connect("privacy_officer", settings=settings) as hot:
        acts = dict(hot.execute(_LAST_ACTS).fetchall())
    found = []
    for database in _DATABASES:
        with connect("privacy_officer", database, settings) as books:
            found += _review(books, database, acts)
    return found


def _review(books: psycopg.Connection, database: str, acts: dict[str, datetime]) -> Iterator[Access]:
    counted_since, stale = _unread(books)
    tables = defaultdict(list)
    for role, schema, table, _ in _privileges(books, ("SELECT",)):
        tables[role, schema].append(f"{schema}.{table}")
    is_long_enough = counted_since is not None and counted_since < datetime.now(UTC) - timedelta(days=UNUSED_DAYS)
    for (role, schema), names in sorted(tables.items()):
        unused = sum(name in stale for name in names) if is_long_enough else None
        yield Access(role, database, schema, len(names), unused, acts.get(role))


def _unread(books: psycopg.Connection) -> tuple[datetime | None, set[str]]:
    """Since when Postgres counts, and tables that no scan touched for 90 days (backups scan too: they are not readers)."""
    since = books.execute("select stats_reset from pg_stat_database where datname = current_database()").fetchone()[0]
    rows = books.execute(
        """select schemaname || '.' || relname from pg_stat_user_tables
           where coalesce(greatest(last_seq_scan, last_idx_scan), '-infinity') < now() - make_interval(days => %s)""",
        [UNUSED_DAYS],
    ).fetchall()
    return since, {row[0] for row in rows}


def _privileges(books: psycopg.Connection, privileges: tuple[str, ...]) -> list[tuple[str, str, str, str]]:
    """Of every role there is, also one that nobody here made; not of who may do everything (superusers and the owner)."""
    rows = books.execute(
        "select rolname from pg_roles where rolname !~ '^pg_' and not rolsuper and rolname <> %s", [OWNER]
    )
    roles = [row[0] for row in rows.fetchall()]
    return books.execute(_READABLE, {"roles": roles, "privileges": list(privileges)}).fetchall()


def note_changes(settings: Settings) -> dict[str, int]:
    """Have the trail tell what changed in policies and grants since it last looked, and what the server's log says of logins and
    reads. Returns counts.

    The first look tells of everything once, by counts. Grants on what the night's steps make anew are left out; what roles may
    do on the whole server (superuser, membership) is told under database 'server'. Repeatable.
    """
    # Looked at before anything is written: whoever appends to the trail keeps others from it until the end.
    granted = {database: _granted(settings, database) for database in _WATCHED}
    with connect("privacy_officer", settings=settings) as hot:
        granted[_SERVER] = set(hot.execute(_POWERS).fetchall())
        counts = {"policies": _note_policies(hot)}
        counts["grants"] = sum(_note_grants(hot, database, now) for database, now in granted.items())
        counts |= take_up_log(hot, settings)
    return counts


def _note_policies(hot: psycopg.Connection) -> int:
    seen = dict(hot.execute("select name, sha256 from audit.policy_seen").fetchall())
    now = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(POLICIES.rglob("*.yml"))}
    changed = [name for name in sorted(seen.keys() | now.keys()) if seen.get(name) != now.get(name)]
    for name in changed:
        detail = {"before": seen.get(name), "after": now.get(name)}
        append(hot, "policy.changed" if seen else "policy.seen", name, detail)
    hot.execute("delete from audit.policy_seen where not name = any(%s)", [list(now)])
    with hot.cursor() as cursor:
        cursor.executemany(
            """insert into audit.policy_seen (name, sha256) values (%s, %s)
               on conflict (name) do update set sha256 = excluded.sha256, seen_at = clock_timestamp()
               where policy_seen.sha256 <> excluded.sha256""",
            list(now.items()),
        )
    return len(changed)


def _granted(settings: Settings, database: str) -> set[tuple[str, str, str]]:
    """Role, relation and privilege, apart from what the night's steps make anew."""
    with connect(_WATCHED[database], database, settings) as books:
        kept = books.execute("select nspname from pg_namespace where nspname !~ %s", [_MADE_NIGHTLY]).fetchall()
        schemas = {row[0] for row in kept}
        rows = _privileges(books, ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"))
    return {(role, f"{schema}.{table}", privilege) for role, schema, table, privilege in rows if schema in schemas}


def _note_grants(hot: psycopg.Connection, database: str, now: set[tuple[str, str, str]]) -> int:
    seen = set(
        hot.execute("select role, relation, privilege from audit.grant_seen where database = %s", [database]).fetchall()
    )
    given, taken = now - seen, seen - now
    for verb, changed in (("given", given), ("taken", taken)):
        by_role = Counter(role for role, _, _ in changed)
        for role, count in sorted(by_role.items()):
            named = sorted({f"{privilege.lower()} {relation}" for who, relation, privilege in changed if who == role})
            detail = {"database": database, "privileges": count, "first": named[:20]}
            append(hot, f"grant.{verb}" if seen else "grant.seen", role, detail)
    hot.execute("delete from audit.grant_seen where database = %s", [database])
    with hot.cursor() as cursor, cursor.copy("copy audit.grant_seen from stdin") as copy:
        for row in sorted(now):
            copy.write_row((database, *row))
    return len(given) + len(taken)


def show_review(found: list[Access]) -> str:
    """The review as a table for a terminal, and what it means to look at."""
    wide = max((len(each.schema) for each in found), default=0)
    lines = [f"{'role':16} {'database':8} {'schema':{wide}} {'tables':>6} {'unread 90 d':>11}  last act in the trail"]
    for each in found:
        unused = "not yet" if each.unused is None else str(each.unused)
        last = f"{each.last_act:%Y-%m-%d}" if each.last_act else "never"
        lines.append(f"{each.role:16} {each.database:8} {each.schema:{wide}} {each.tables:6} {unused:>11}  {last}")
    dormant = sorted({each.role for each in found if each.is_dormant})
    lines += ["", f"Roles with no act in the trail for {UNUSED_DAYS} days: {', '.join(dormant) or 'none'}"]
    lines += [
        "'not yet': Postgres has counted reads for less than that. Take away what nobody uses; the trail tells of it."
    ]
    return "\n".join(lines)
