"""What only the server's log knows, taken up into the trail: refused logins, reads in raw and restricted tables, sessions by hand.

Reads the log of the embedded server, each line once; a managed one has its own record. Where a name is no role of ours it may be a
password typed in the wrong place: it is counted, never quoted. How the lines come to be: include/decisions/0256-reads-in-psql-are-told.md
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from include.audit.chain import append
from include.settings import Settings

LOG = "postgres.log"
_BLOCK = 1 << 20
# As log_line_prefix of include/local_stack/postgres.py writes it: time, process, role@database, program. A further line of a
# message begins with a tab, so that no text of a caller's can look like a line of somebody else.
_PREFIX = rb"^(?P<at>\S+ \S+) \S+ \[\d+\] (?P<role>[^@\s]*)@(?P<database>\S*) "
_REFUSED = re.compile(
    _PREFIX + rb".*?FATAL:  (?P<why>password authentication failed|permission denied for database"
    rb"|role .* does not exist|no pg_hba.conf entry|database .* does not exist|too many connections)",
    re.MULTILINE,
)
# The last such words of a line: a program may call itself anything, and hot/0702_reads_told.sql leaves no two blanks after them.
_TOLD = re.compile(_PREFIX + rb".*LOG:  plumbline (?P<kind>read|session) (?P<said>.*)$", re.MULTILINE)
_WHY = {
    b"password": "wrong password", b"permission": "no right to the database", b"role": "no such role",
    b"no": "not from there", b"database": "no such database", b"too": "too many connections",
}  # fmt: skip


@dataclass(slots=True)
class Lines:
    """What was found, and where the next look begins. ``told``: how often, first and last, by (kind, role, database, what was said)."""

    position: int
    refused: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    told: dict[tuple[str, str, str, str], tuple[int, str, str]] = field(default_factory=dict)


def take_up_log(hot: psycopg.Connection, settings: Settings) -> dict[str, int]:
    """Append what the log tells since the last look, equal lines as one entry. Returns lines by what they tell; zeros without a log."""
    log = _log_of(settings)
    if log is None:
        return {"logins_refused": 0, "tables_read": 0, "sessions_by_hand": 0}
    found = read_lines(log, _position(hot, log))
    known = {row[0] for row in hot.execute("select rolname from pg_roles").fetchall()}
    _append_refused(hot, found.refused, known)
    for (kind, role, database, said), times in sorted(found.told.items()):
        (_append_read if kind == "read" else _append_session)(hot, role, database, _said(said), _often(*times))
    hot.execute(
        "update audit.log_seen set position = %s, seen_at = clock_timestamp() where log = %s",
        [found.position, log.name],
    )
    told = Counter()
    for (kind, *_), (times, _, _) in found.told.items():
        told[kind] += times
    return {
        "logins_refused": found.refused.total(),
        "tables_read": told["read"],
        "sessions_by_hand": told["session"],
    }


def _append_refused(hot: psycopg.Connection, refused: Counter[tuple[str, str, str]], known: set[str]) -> None:
    counts = Counter()
    for (role, database, why), times in refused.items():
        counts[role if role in known else None, database, why] += times
    for (role, database, why), times in sorted(counts.items(), key=str):
        detail = {"times": times, "why": why, "database": database if role else "not told"}
        append(hot, "login.refused", role or "no role of ours", detail, outcome="failure")


def _append_read(
    hot: psycopg.Connection, role: str, database: str, said: dict[str, str], often: dict[str, object]
) -> None:
    purpose = said.get("purpose")
    where = {name: said[name] for name in ("from", "program") if name in said}
    detail = {**often, **where, "as": said.get("as", role), "database": database}
    outcome = "success" if purpose else "failure"
    append(hot, "table.read", said.get("of", "not told"), detail, purpose=purpose, outcome=outcome, actor=role)


def _append_session(
    hot: psycopg.Connection, role: str, database: str, said: dict[str, str], often: dict[str, object]
) -> None:
    append(hot, "session.started", role, {**often, **said, "database": database}, actor=role)


def _often(times: int, first: str, last: str) -> dict[str, object]:
    return {"times": times, "first_at": first, "last_at": last}


def _said(text: str) -> dict[str, str]:
    """What a line says; a line that anybody but our functions wrote may say anything."""
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return {str(name): str(value)[:200] for name, value in said.items() if value} if isinstance(said, dict) else {}


def _log_of(settings: Settings) -> Path | None:
    from include.local_stack.home import open_home, read_record

    if read_record(settings.home) is None:
        return None
    log = open_home(settings.home).postgres / LOG
    return log if log.is_file() else None


def _position(hot: psycopg.Connection, log: Path) -> int:
    """Where the last look ended. Locked until the caller's transaction ends, so that no line is taken up twice."""
    hot.execute("insert into audit.log_seen (log, position) values (%s, 0) on conflict (log) do nothing", [log.name])
    (position,) = hot.execute("select position from audit.log_seen where log = %s for update", [log.name]).fetchone()
    # A log that is shorter than it was is another one.
    return position if position <= log.stat().st_size else 0


def read_lines(log: Path, position: int) -> Lines:
    """What whole lines after ``position`` tell."""
    found = Lines(position)
    for block in _blocks(log, position):
        found.position += len(block)
        for line in _REFUSED.finditer(block):
            found.refused[_text(line, "role"), _text(line, "database"), _WHY[line["why"].split()[0]]] += 1
        for line in _TOLD.finditer(block):
            key = line["kind"].decode(), _text(line, "role"), _text(line, "database"), _text(line, "said")
            at = f"{_text(line, 'at').replace(' ', 'T')}Z"
            times, first, _ = found.told.get(key, (0, at, at))
            found.told[key] = times + 1, first, at
    return found


def _blocks(log: Path, position: int) -> Iterator[bytes]:
    with log.open("rb") as file:
        file.seek(position)
        while lines := file.readlines(_BLOCK):
            is_whole = lines[-1].endswith(b"\n")
            yield b"".join(lines if is_whole else lines[:-1])
            if not is_whole:
                return


def _text(line: re.Match[bytes], name: str) -> str:
    return line[name].decode(errors="replace")
