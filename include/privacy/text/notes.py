"""The night's step between resolving and building: documents' sealed originals become de-identified text.

Person by person, a few thousand at a time: what all sources say of a person is opened, then the person's documents, one
after another. What was read by the same rules with the same knowledge of the person is not read again. Opening is audited
with counts; nothing opened is written anywhere but de-identified.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from include.nights import Step, step
from include.privacy import keys
from include.privacy.date_shift import make_shifter
from include.privacy.identifiers import from_row
from include.privacy.keyring import Keyring, load_keyring
from include.privacy.sealing import merge, open_sealed
from include.privacy.text.attachments import Attachment, UnreadableError, best_first, form_of, read_attachment
from include.privacy.text.dates import OLDEST_SHOWN_AGE, find_ages_and_years
from include.privacy.text.deidentify import Finder
from include.privacy.text.engines import load_engines
from include.privacy.text.known import Known
from include.privacy.text.lines import Rules
from include.privacy.text.patients import Told, displays
from include.privacy.text.policy import POLICY_FILE, TextPolicy
from include.privacy.text.spans import join
from include.privacy.text.surrogates import make_inventor
from include.privacy.tokens import Tokeniser
from include.settings import Settings
from include.sources.contracts import Table
from include.sources.registry import load_sources
from include.warehouse.connect import connect

PERSONS_AT_ONCE = 1_000
_ROWS_AT_ONCE = 16  # a document may be as large as the source's max_record_bytes
_ROWS_WRITTEN_AT_ONCE = 200
_MOST_HEADINGS = 60
_HEADING = re.compile(
    r"^[ \t]*(?:#{1,4} {1,3}([^\n:]{2,60}?)|([A-Z][A-Za-z /&,-]{2,50}?)(?=:)|([A-Z][A-Z /&,-]{3,50}))[ \t]*:?[ \t]*(?:$|(?<=:))",
    re.MULTILINE,
)

# Documents whose text was never made, or was made by other rules or before other patient records were known. A person's mark
# is a sum over their tokens and the newest record behind each, so that a merge of persons or a corrected name changes it; the
# batch number also tells of an older version that came late.
_DUE = """
    with document as materialized (
        select link.person_key, r.record_id from raw.resource r join restricted.person_link link using (person_token)
        where r.resource_type = 'DocumentReference' and not r.is_deleted and r.sealed is not null
    ), told as materialized (
        select person_token, max(batch_seq) as seq from raw.resource where resource_type in ('Patient', 'RelatedPerson') group by 1
    ), person as (
        select link.person_key,
            coalesce(sum(hashtextextended(link.person_token::text || coalesce(e.batch_seq, 0), 0))::numeric %% 9000000000000000000, 0)::bigint as mark,
            coalesce(max(told.seq), 0) as seq
        from restricted.person_link link
        left join restricted.person_evidence e using (person_token)
        left join told using (person_token)
        where link.person_key in (select person_key from document)
        group by 1
    )
    select person_key, mark, seq from person
    where person_key in (
        select d.person_key from document d join person p using (person_key) left join restricted.document_text t using (record_id)
        where t.record_id is null or t.rules <> %(rules)s or t.known_mark <> p.mark or t.known_seq < p.seq)
    order by person_key
"""
_DOCUMENTS = """
    select r.record_id, r.person_token, link.person_key, r.content, r.sealed from restricted.sealed_document r
    join restricted.person_link link using (person_token)
    join unnest(%(persons)s::uuid[], %(marks)s::bigint[], %(seqs)s::bigint[]) as person (person_key, mark, seq) using (person_key)
    left join restricted.document_text t on t.record_id = r.record_id
    where r.person_token = any(%(tokens)s) and (t.record_id is null or t.rules <> %(rules)s or t.known_mark <> person.mark or t.known_seq < person.seq)
"""
_WRITE = """
    insert into restricted.document_text (record_id, person_token, form, state, text, section_headings, replaced, rules, known_mark, known_seq)
    values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    on conflict (record_id) do update set form = excluded.form, state = excluded.state, text = excluded.text,
        section_headings = excluded.section_headings, replaced = excluded.replaced, rules = excluded.rules,
        known_mark = excluded.known_mark, known_seq = excluded.known_seq, read_at = clock_timestamp()
"""
_FORGET = """
    delete from restricted.document_text t using lifecycle.record r
    where r.record_id = t.record_id and r.tier in ('destroyed', 'erased')
"""


@dataclass(frozen=True, slots=True)
class Reader:
    """What notes are read with."""

    finder: Finder
    rules: Rules
    digest: str


@dataclass(slots=True)
class _Desk:
    """Opens sealed values of persons in bulk; what an erased person's key sealed stays closed."""

    books: psycopg.Connection
    keyring: Keyring
    _keys: dict[str, bytes] = field(default_factory=dict)

    def fetch(self, tokens: Sequence[UUID]) -> None:
        found = keys.fetch_many(self.books, self.keyring, [keys.person_key_id(str(token)) for token in tokens])
        self._keys = dict(found.keys)

    def open(self, record_id: UUID, token: UUID, sealed: bytes) -> Any | None:
        key = self._keys.get(keys.person_key_id(str(token)))
        return orjson.loads(open_sealed(key, record_id, sealed)) if key else None


def deidentify_notes(night: date, settings: Settings | None = None) -> dict[str, int]:
    """Make the text of every document that has none, or that other rules or patient records would change. Returns counts.

    Killed anywhere, the next run goes on with the persons that are left. Raises TextPolicyError, EngineError, KeyringError.
    """
    settings = settings or Settings.from_environment(os.environ)
    with step(night, "notes", role="leak_scanner", settings=settings) as running:
        keyring = load_keyring(settings.keyring_dir)
        reader = make_reader(night, keyring)
        totals: Counter[str] = Counter(read=0, cut=0, no_text=0, unreadable=0, closed=0, persons=0, replaced=0)
        with (
            connect("leak_scanner", "hot", settings) as hot,
            connect("sealer", "keys", settings, autocommit=True) as books,
        ):
            hot.execute("select pg_advisory_lock(hashtext('plumbline.notes'))")
            hot.execute(_FORGET)
            due = hot.execute(_DUE, {"rules": reader.digest}).fetchall()
            hot.commit()
            desk, tables = _Desk(books, keyring), list(_patient_tables(hot, settings))
            for at in range(0, len(due), PERSONS_AT_ONCE):
                _read_wave(hot, desk, tables, reader, due[at : at + PERSONS_AT_ONCE], totals)
                _tell(running, totals, at, len(due))
        running.count(**totals)
        return dict(totals)


def make_reader(night: date, keyring: Keyring, policy: TextPolicy | None = None) -> Reader:
    """Finder and rules as the policy says. Under expert determination a person's key decides their days."""
    policy = policy or TextPolicy.load()
    tokeniser = Tokeniser(keyring.token_key)
    days_of = make_shifter(tokeniser, policy.most_days_shifted) if policy.profile == "expert_determination" else None
    key = tokeniser.digest(b"surrogates of notes")
    inventor_of = (lambda person: make_inventor(key, person)) if policy.replacement == "surrogates" else None
    # Ages are told by the year alone: were they told by the day, every note would be made anew every night.
    finder = Finder(date(night.year, 12, 31), load_engines(policy.engines))
    return Reader(finder, Rules(finder.today, days_of, inventor_of), _digest(finder.today.year))


def _digest(year: int) -> str:
    """Changes with the year, the policy, and every file of this package."""
    digest = hashlib.sha256(str(year).encode() + POLICY_FILE.read_bytes())
    folder = Path(__file__).parent
    for file in sorted([*folder.glob("*.py"), *(folder / "dictionaries").iterdir()]):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:32]


def _tell(running: Step, totals: Counter[str], done: int, of: int) -> None:
    running.count(**totals, persons_left=max(0, of - done - PERSONS_AT_ONCE))


def _read_wave(
    hot, desk: _Desk, tables, reader: Reader, due: Sequence[tuple[UUID, int, int]], totals: Counter[str]
) -> None:
    """Some persons, in one transaction. ``due`` are their keys with mark and newest batch."""
    marks = {person: (mark, seq) for person, mark, seq in due}
    links = dict(
        hot.execute(
            "select person_token, person_key from restricted.person_link where person_key = any(%s)", [list(marks)]
        ).fetchall()
    )
    hot.execute(
        "select audit.append('notes.opened', null, %s, 'de-identification of notes')", [Jsonb({"persons": len(marks)})]
    )
    hot.commit()  # before anything is opened: a kill must not leave it untold, nor may others wait for the wave to write theirs
    desk.fetch(list(links))
    told = _learn(hot, desk, tables, links, marks)
    written: list[tuple] = []
    for record_id, token, person, content, sealed in _documents(hot, links, marks, reader):
        opened = desk.open(record_id, token, sealed)
        if opened is None:
            totals["closed"] += 1
            continue
        made = read_document(merge({"content": content or []}, opened), told[person], str(person), reader)
        totals[made.state] += 1
        totals["replaced"] += sum(made.replaced.values())
        if len(written) >= _ROWS_WRITTEN_AT_ONCE:
            _write(hot, written)
        written.append((record_id, token, *made.as_columns(), reader.digest, *marks[person]))
    _write(hot, written)
    totals["persons"] += len(marks)
    hot.commit()


def _learn(hot, desk: _Desk, tables, links: dict[UUID, UUID], persons: Iterable[UUID]) -> dict[UUID, Told]:
    """What the platform knows of each person already: births, patient records, rows of patient tables."""
    told = {person: Told() for person in persons}
    for token, birth in hot.execute(
        "select person_token, birth_date from restricted.person_evidence where birth_date is not null and person_token = any(%s)",
        [list(links)],
    ).fetchall():
        told[links[token]].add_birth(birth)
    _learn_documents(hot, desk, links, told)
    _learn_tables(hot, desk, tables, links, told)
    return told


def _documents(
    hot, links: dict[UUID, UUID], marks: dict[UUID, tuple[int, int]], reader: Reader
) -> Iterator[tuple[UUID, UUID, UUID, list | None, bytes]]:
    """Documents of these persons that have no text yet, or one that other rules or records would change; a few at a time."""
    asked = {
        "tokens": list(links),
        "rules": reader.digest,
        "persons": list(marks),
        "marks": [mark for mark, _ in marks.values()],
        "seqs": [seq for _, seq in marks.values()],
    }
    with hot.cursor(name="documents", binary=True) as cursor:
        cursor.execute(_DOCUMENTS, asked)
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            yield from rows


def _write(hot, written: list[tuple]) -> None:
    with hot.cursor() as cursor:
        cursor.executemany(_WRITE, written)
    written.clear()


def _learn_documents(hot, desk: _Desk, links: dict[UUID, UUID], told: dict[UUID, Told]) -> None:
    with hot.cursor(name="patients", binary=True) as cursor:
        cursor.execute(
            """select record_id, person_token, sealed from raw.resource
               where resource_type in ('Patient', 'RelatedPerson') and sealed is not null and person_token = any(%s)""",
            [list(links)],
        )
        for record_id, token, sealed in cursor:
            opened = desk.open(record_id, token, sealed)
            if opened is not None:
                told[links[token]].add_patient(opened)


def _learn_tables(hot, desk: _Desk, tables, links: dict[UUID, UUID], told: dict[UUID, Told]) -> None:
    for name, table in tables:
        query = sql.SQL(
            "select record_id, person_token, sealed from {} where sealed is not null and person_token = any(%s)"
        )
        with hot.cursor(name="rows", binary=True) as cursor:
            cursor.execute(query.format(sql.Identifier("raw", name)), [list(links)])
            for record_id, token, sealed in cursor:
                opened = desk.open(record_id, token, sealed)
                if opened is not None:
                    told[links[token]].add_identifiers(from_row(links[token], opened, table))


def _patient_tables(hot, settings: Settings) -> Iterator[tuple[str, Table]]:
    for source in load_sources(settings.sources_file) if settings.sources_file else ():
        for table in source.contract.tables if source.contract else ():
            name = f"{source.name}__{table.name}"
            is_there = hot.execute("select to_regclass(format('raw.%%I', %s::text))", [name]).fetchone()[0]
            if is_there and any(mapped.to == "patient" for mapped in table.maps):
                yield name, table


@dataclass(frozen=True, slots=True)
class DocumentText:
    """What became of a document: ``state`` is read, cut, no_text or unreadable; ``replaced`` counts classes."""

    state: str
    form: str | None = None
    text: str | None = None
    headings: list[str] = field(default_factory=list)
    replaced: dict[str, int] = field(default_factory=dict)

    def as_columns(self) -> tuple:
        """In the order of restricted.document_text: form, state, text, section headings, counts of what was replaced."""
        return self.form, self.state, self.text, self.headings, Jsonb(self.replaced)


def read_document(resource: dict[str, Any], told: Told, person: str, reader: Reader) -> DocumentText:
    """The de-identified text of a DocumentReference as received. Never raises on what a document holds."""
    attachment, state = _attachment_of(resource)
    if attachment is None:
        return DocumentText(state)
    known: Known = told.known(*displays(resource), *displays(resource, "context"))
    found = reader.finder.find(attachment.text, known)
    replacer = reader.rules.replacer(person)
    if told.may_be_over(OLDEST_SHOWN_AGE, reader.finder.today.year):
        found = join([*found, *find_ages_and_years(attachment.text)])
        replacer = replace(replacer, shows_years=False)
    text = replacer.replace(attachment.text, found)
    replaced = Counter(span.label for span in found)
    return DocumentText(
        "cut" if attachment.is_cut else "read", attachment.form, text, headings_of(text), dict(replaced)
    )


def headings_of(text: str) -> list[str]:
    """Section headings of a text, in order, each once: lines such as 'ASSESSMENT AND PLAN:' or '# Medications'."""
    found = (next(filter(None, match.groups())).strip() for match in _HEADING.finditer(text))
    return list(dict.fromkeys(found))[:_MOST_HEADINGS]


def _attachment_of(resource: dict[str, Any]) -> tuple[Attachment | None, str]:
    """The first attachment that can be read, plain text before all else; what is wrong where there is none."""
    parts = [part for part in map(_data_of, resource.get("content") or ()) if part]
    if not parts:
        return None, "no_text"
    forms = [form_of(data, said) or "" for data, said in parts]
    for index in best_first(forms):
        try:
            attachment = read_attachment(*parts[index])
        except UnreadableError:
            continue
        if attachment.text:
            return attachment, "read"
    return None, "unreadable"


def _data_of(content: Any) -> tuple[bytes, str] | None:
    attachment = content.get("attachment") if isinstance(content, dict) else None
    if not isinstance(attachment, dict) or not isinstance(attachment.get("data"), str):
        return None
    said = attachment.get("contentType")
    try:
        return base64.b64decode(attachment["data"]), said if isinstance(said, str) else ""
    except (binascii.Error, ValueError):
        return None
