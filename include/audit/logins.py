"""Logins that Postgres refused, told by the trail. Reads the log of the embedded server; a managed one has its own record of them.

A name that is no role of ours may be a password typed in the wrong place: it is counted, never quoted.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import psycopg

from include.audit.chain import append
from include.settings import Settings

LOG = "postgres.log"
_BLOCK = 1 << 20
# As log_line_prefix of include/local_stack/postgres.py writes it: time, process, role@database, program.
_REFUSED = re.compile(
    rb"^\S+ \S+ \S+ \[\d+\] (?P<role>[^@\s]*)@(?P<database>\S*) .*?FATAL:  (?P<why>password authentication failed|permission denied for database"
    rb"|role .* does not exist|no pg_hba.conf entry|database .* does not exist|too many connections)",
    re.MULTILINE,
)
_WHY = {
    b"password": "wrong password", b"permission": "no right to the database", b"role": "no such role",
    b"no": "not from there", b"database": "no such database", b"too": "too many connections",
}  # fmt: skip


def note_refused_logins(hot: psycopg.Connection, settings: Settings) -> int:
    """Append an entry for each role, database and reason refused since the last look. Returns logins refused; 0 without a log."""
    log = _log_of(settings)
    if log is None:
        return 0
    refused, position = _read(log, _position(hot, log))
    known = {row[0] for row in hot.execute("select rolname from pg_roles").fetchall()}
    counts = Counter((role if role in known else None, database, why) for role, database, why in refused)
    for (role, database, why), times in sorted(counts.items(), key=str):
        detail = {"times": times, "why": why, "database": database if role else "not told"}
        append(hot, "login.refused", role or "no role of ours", detail, outcome="failure")
    hot.execute(
        """insert into audit.log_seen (log, position) values (%s, %s)
           on conflict (log) do update set position = excluded.position, seen_at = clock_timestamp()""",
        [log.name, position],
    )
    return counts.total()


def _log_of(settings: Settings) -> Path | None:
    from include.local_stack.home import open_home, read_record

    if read_record(settings.home) is None:
        return None
    log = open_home(settings.home).postgres / LOG
    return log if log.is_file() else None


def _position(hot: psycopg.Connection, log: Path) -> int:
    row = hot.execute("select position from audit.log_seen where log = %s", [log.name]).fetchone()
    # A log that is shorter than it was is another one.
    return row[0] if row and row[0] <= log.stat().st_size else 0


def _read(log: Path, position: int) -> tuple[list[tuple[str, str, str]], int]:
    """Refusals in whole lines after ``position``, and where the next look begins."""
    refused = []
    with log.open("rb") as file:
        file.seek(position)
        while lines := file.readlines(_BLOCK):
            if not lines[-1].endswith(b"\n"):
                lines.pop()
            position += sum(map(len, lines))
            for found in _REFUSED.finditer(b"".join(lines)):
                role, database = found["role"].decode(errors="replace"), found["database"].decode(errors="replace")
                refused.append((role, database, _WHY[found["why"].split()[0]]))
    return refused, position
