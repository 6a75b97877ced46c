"""The landing part of an erasure: each object that holds the person is written anew, catalogued, and its old versions removed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from uuid import UUID

import orjson
from psycopg import sql

from include.intake.reading import Opener
from include.landing.catalogue import LandedObject, find_object, object_key
from include.landing.encryption import seal_name
from include.lifecycle import erase_landing, ledger, store
from include.lifecycle.erase_landing import Found, Wanted
from include.lifecycle.erase_live import erase_waiting, sources_waiting
from include.lifecycle.work import MoveError, Work
from include.privacy.identifiers import objects_of, texts_of
from include.privacy.keyring import Keyring, load_keyring
from include.privacy.sealing import open_sealed
from include.privacy.tokens import Tokeniser
from include.sources.contracts import raw_table_name
from include.sources.registry import Source, load_sources

_COLUMNS = "source, sha256, object_key, file_type, hint, bytes_received, rewritten_sha256"


def erase_from_landing(work: Work, erasure_id: UUID, tokens: Collection[UUID]) -> dict[str, int]:
    """Take a person out of every object that is still in landing and every live message that waits for it. Returns counts. Killed anywhere, it may be done again.

    An object is catalogued under its new name before the old one is removed, so that at every moment the catalogue names
    bytes that are there.
    """
    keyring = load_keyring(work.settings.keyring_dir)
    counts: Counter[str] = Counter(
        objects_read=0, objects_rewritten=0, objects_removed=0, landed_records=0, live_messages=0
    )
    sources = _declared(work, tokens)
    wanted = Wanted(frozenset(map(str, tokens)), frozenset(_raw_ids(work, keyring, sources, tokens)))
    for source in sources:
        name = source.name
        work.hot.execute("select pg_advisory_lock(hashtext('land'), hashtext(%s))", [name])
        work.hot.execute("select pg_advisory_lock(hashtext('load'), hashtext(%s))", [name])
        try:
            for landed in _objects(work, name):
                counts["objects_read"] += 1
                _erase_from(work, erasure_id, source, landed, wanted, keyring, counts)
            counts["live_messages"] += erase_waiting(work, source, wanted, keyring)
        finally:
            work.hot.execute("select pg_advisory_unlock(hashtext('load'), hashtext(%s))", [name])
            work.hot.execute("select pg_advisory_unlock(hashtext('land'), hashtext(%s))", [name])
    return dict(counts)


def erase_what_came_again(work: Work) -> int:
    """Take erased persons out of what sources sent of them since: the loader refused it, and here its bytes go too.

    Returns objects written anew or removed. Sources that are not declared any more are left to the end of landing's days.
    """
    sent = work.hot.execute(
        """select distinct source, object_sha256 from quality.quarantine join lifecycle.landing_object o using (source)
           where reason_code = 'erased_person' and state = 'open' and object_sha256 = o.sha256 and o.removed_night is null"""
    ).fetchall()
    last = work.hot.execute("select erasure_id from lifecycle.erasure order by begun_at desc limit 1").fetchone()
    if not sent or last is None:
        return 0
    keyring = load_keyring(work.settings.keyring_dir)
    tokens = [row[0] for row in work.hot.execute("select person_token::text from lifecycle.erasure_person").fetchall()]
    declared = {source.name: source for source in load_sources(work.settings.sources_file)}
    counts: Counter[str] = Counter()
    for name, sha256 in sent:
        if name in declared:
            landed = find_object(work.hot, name, sha256)
            _erase_from(work, last[0], declared[name], landed, Wanted(frozenset(tokens), frozenset()), keyring, counts)
    return counts["objects_rewritten"] + counts["objects_removed"]


def _erase_from(
    work: Work, erasure_id: UUID, source: Source, landed: LandedObject, wanted: Wanted, keyring: Keyring, counts
) -> None:
    found = _find(work, source, landed, wanted, keyring)
    if found:
        new_key = object_key(landed.source, landed.sha256) + _suffix(erasure_id)
        written = erase_landing.rewrite(
            source, Opener(source, work.settings), landed, found, new_key,
            store=work.s3, bucket=work.settings.bucket_landing, recipient=keyring.landing_recipient,
        )  # fmt: skip
        _catalogue(work, erasure_id, landed, found, written, new_key, keyring)
        counts["objects_rewritten" if written.sha256 else "objects_removed"] += 1
        counts["landed_records"] += written.records
    _remove_others(work, landed)


def _find(work: Work, source: Source, landed: LandedObject, wanted: Wanted, keyring: Keyring) -> Found:
    if landed.file.dataset is None:
        return Found(frozenset())
    tokeniser = Tokeniser(keyring.token_key)
    return erase_landing.find_person(source, Opener(source, work.settings), landed, wanted, tokeniser)


def _catalogue(work: Work, erasure_id: UUID, landed: LandedObject, found: Found, written, key: str, keyring) -> None:
    with work.hot.transaction():
        work.hot.execute(
            """update lifecycle.landing_object set object_key = %s, rewritten_sha256 = %s, bytes_stored = %s, name_sealed = %s,
                      removed_night = case when %s then %s::date else removed_night end
               where source = %s and sha256 = %s""",
            [
                key, written.sha256, written.bytes_stored, seal_name("(erased)", keyring.landing_recipient),
                written.sha256 is None, work.night, landed.source, landed.sha256,
            ],
        )  # fmt: skip
        work.hot.execute(
            """update quality.quarantine set state = 'dismissed', state_changed_at = clock_timestamp()
               where source = %s and object_sha256 = %s and state = 'open'
                 and (%s or substring(place from '\\d+$')::bigint = any(%s))""",
            [landed.source, landed.sha256, written.sha256 is None, sorted(found.places)],
        )
        detail = {"erasure": str(erasure_id), "records": written.records, "removed": written.sha256 is None}
        ledger.audit(work.hot, "landing.person_erased", landed.sha256[:12], detail)


def _remove_others(work: Work, landed: LandedObject) -> None:
    """Remove what the catalogue does not name of this content: the bytes before, in all versions."""
    row = work.hot.execute(
        "select object_key, removed_night from lifecycle.landing_object where source = %s and sha256 = %s",
        [landed.source, landed.sha256],
    ).fetchone()
    first = object_key(landed.source, landed.sha256)
    if row[0] == first:
        return
    bucket = work.settings.bucket_landing
    for key in store.keys_below(work.s3, bucket, first):
        if key != row[0] or row[1] is not None:
            store.remove_all_versions(work.s3, bucket, key)


def _objects(work: Work, source: str) -> list[LandedObject]:
    rows = work.hot.execute(
        f"select {_COLUMNS} from lifecycle.landing_object where source = %s and removed_night is null order by sha256",  # noqa: S608 - a constant
        [source],
    ).fetchall()
    return [LandedObject(*row) for row in rows]


def _declared(work: Work, tokens: Collection[UUID]) -> list[Source]:
    """Sources that sent records of the person and of which landing or the live inbox holds bytes. They must be declared to be read."""
    sent = _sources_of(work, tokens)
    waiting = sources_waiting(work, sent)
    names = [name for name in sent if name in waiting or _objects(work, name)]
    declared = {source.name: source for source in load_sources(work.settings.sources_file)} if names else {}
    unknown = sorted(set(names) - declared.keys())
    if unknown:
        raise MoveError(
            found=f"landing or the live inbox holds bytes of {', '.join(unknown)}, which sources.yml does not declare",
            expected="a declaration of every source that sent records of the person, so that its bytes can be read",
            action="name the right file with SOURCES= or PLUMBLINE_SOURCES, or declare the source again, then erase once more",
        )
    return [declared[name] for name in names]


def _sources_of(work: Work, tokens: Collection[UUID]) -> list[str]:
    rows = work.hot.execute(
        "select distinct source from lifecycle.record where person_token = any(%s) order by 1", [list(tokens)]
    ).fetchall()
    return [row[0] for row in rows]


def _raw_ids(work: Work, keyring: Keyring, sources: list[Source], tokens: Collection[UUID]) -> Iterator[bytes]:
    """The ids that sources know the person by, opened from their rows in hot; too short ones would match anything."""
    ledger.audit(work.hot, "identifiers.opened", None, {}, purpose="erasure")
    patients = sql.SQL(
        "select record_id, person_token::text, sealed from raw.resource where resource_type = 'Patient' and "
    )
    for said in _opened(work, patients, tokens):
        yield from _long_enough(*texts_of(said, "id"))
        for identifier in objects_of(said, "identifier"):
            yield from _long_enough(*texts_of(identifier, "value"))
    for source in sources:
        for table in source.contract.tables if source.contract else ():
            if table.person is None:
                continue
            rows = sql.SQL("select distinct on (person_token) record_id, person_token::text, sealed from {} where ")
            name = sql.Identifier("raw", raw_table_name(source.name, table.name))
            for said in _opened(work, rows.format(name), tokens):
                yield from _long_enough(said.get(table.person))


def _opened(work: Work, query: sql.Composable, tokens: Collection[UUID]) -> Iterator[dict]:
    which = sql.SQL("person_token = any(%s) and sealed is not null")
    rows = work.hot.execute(query + which, [list(tokens)]).fetchall()
    keys = work.keys.fetch({f"person:{token}" for _, token, _ in rows})
    for record_id, token, sealed in rows:
        key = keys.get(f"person:{token}")
        if key is not None:
            yield orjson.loads(open_sealed(key, record_id, sealed))


def _long_enough(*names: object) -> Iterator[bytes]:
    yield from (name.encode() for name in names if isinstance(name, str) and len(name) >= _SHORTEST_ID)


_SHORTEST_ID = 6


def _suffix(erasure_id: UUID) -> str:
    from include.lifecycle.erase import suffix_of

    return suffix_of(erasure_id)
