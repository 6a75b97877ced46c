"""What only the server's log knows, taken up into the trail: refused logins, reads in raw and restricted tables, sessions by hand.

Reads the log of the embedded server, or of one that collects it in files as in docker-compose.yml, each line once. Where a name
is no role of ours it may be a password typed in the wrong place: it is counted, never quoted. How the lines come to be: include/decisions/0256-reads-in-psql-are-told.md
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psycopg

from include.audit.chain import append
from include.settings import Settings

LOG = "postgres.log"
_BLOCK = 1 << 20
# As log_line_prefix of include/local_stack/postgres.py has it written: time, process, role@database, program. A further line of a
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
    """What was found in how many bytes. ``told``: how often, first and last, by (kind, role, database, what was said)."""

    bytes: int = 0
    refused: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    told: dict[tuple[str, str, str, str], tuple[int, str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Log:
    """A file of the server's log. ``read`` gives its bytes from a position on, in blocks."""

    name: str
    size: int
    read: Callable[[int], Iterator[bytes]]


def take_up_log(hot: psycopg.Connection, settings: Settings) -> dict[str, int]:
    """Append what the log tells since the last look, equal lines as one entry. Returns lines by what they tell; zeros without a log."""
    known = {row[0] for row in hot.execute("select rolname from pg_roles").fetchall()}
    counts = Counter({"logins_refused": 0, "tables_read": 0, "sessions_by_hand": 0})
    for log in _logs(hot, settings):
        position = _position(hot, log)
        found = read_lines(whole_lines(log.read(position)))
        _append_refused(hot, found.refused, known)
        counts["logins_refused"] += found.refused.total()
        for (kind, role, database, said), (times, first, last) in sorted(found.told.items()):
            often = {"times": times, "first_at": first, "last_at": last}
            (_append_read if kind == "read" else _append_session)(hot, role, database, _said(said), often)
            counts["tables_read" if kind == "read" else "sessions_by_hand"] += times
        query = "update audit.log_seen set position = %s, seen_at = clock_timestamp() where log = %s"
        hot.execute(query, [position + found.bytes, log.name])
    return dict(counts)


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


def _said(text: str) -> dict[str, str]:
    """What a line says; a line that anybody but our functions wrote may say anything."""
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return {str(name): str(value)[:200] for name, value in said.items() if value} if isinstance(said, dict) else {}


def _logs(hot: psycopg.Connection, settings: Settings) -> list[Log]:
    """The embedded server's log, or the files of a server that collects its log itself; none where we cannot see any."""
    from include.local_stack.home import open_home, read_record

    if read_record(settings.home) is not None:
        file = open_home(settings.home).postgres / LOG
        return [Log(file.name, file.stat().st_size, partial(_read_file, file))] if file.is_file() else []
    rows = hot.execute("select name, size from audit.server_log_files() order by 1").fetchall()
    return [Log(name, size, partial(_read_server, hot, name)) for name, size in rows]


def _read_file(path: Path, position: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(position)
        while block := file.read(_BLOCK):
            yield block


def _read_server(hot: psycopg.Connection, name: str, position: int) -> Iterator[bytes]:
    query = "select audit.read_server_log(%s, %s, %s)"
    while block := hot.execute(query, [name, position, _BLOCK], binary=True).fetchone()[0]:
        yield block
        position += len(block)


def _position(hot: psycopg.Connection, log: Log) -> int:
    """Where the last look ended. Locked until the caller's transaction ends, so that no line is taken up twice."""
    hot.execute("insert into audit.log_seen (log, position) values (%s, 0) on conflict (log) do nothing", [log.name])
    (position,) = hot.execute("select position from audit.log_seen where log = %s for update", [log.name]).fetchone()
    # A log that is shorter than it was is another one.
    return position if position <= log.size else 0


def whole_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes cut at ends of lines; a line that is still being written is left."""
    rest = b""
    for block in blocks:
        lines, end, rest = (rest + block).rpartition(b"\n")
        if end:
            yield lines + end


def read_lines(blocks: Iterable[bytes]) -> Lines:
    """What whole lines tell."""
    found = Lines()
    for block in blocks:
        found.bytes += len(block)
        for line in _REFUSED.finditer(block):
            found.refused[_text(line, "role"), _text(line, "database"), _WHY[line["why"].split()[0]]] += 1
        for line in _TOLD.finditer(block):
            key = line["kind"].decode(), _text(line, "role"), _text(line, "database"), _text(line, "said")
            at = f"{_text(line, 'at').replace(' ', 'T')}Z"
            times, first, _ = found.told.get(key, (0, at, at))
            found.told[key] = times + 1, first, at
    return found


def _text(line: re.Match[bytes], name: str) -> str:
    return line[name].decode(errors="replace")
