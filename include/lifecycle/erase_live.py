"""The live feed's part of an erasure: messages about the person that wait for the night, or landed and wait for the watcher of
critical results, are emptied.

What stays of such a message is the salted hash by which a repetition is known, for as long as of any other. A claim whose
upload a kill left uncatalogued may lie in the store with the message in it: that object goes first, the night makes it anew.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Iterator
from typing import BinaryIO, NamedTuple

from include.landing.catalogue import LandedObject, object_key
from include.lifecycle import store
from include.lifecycle.erase_landing import Wanted, find_person
from include.lifecycle.work import Work
from include.live.landing import claimed_content, framed, hint
from include.privacy.keyring import Keyring
from include.privacy.tokens import Tokeniser
from include.sources.registry import Source
from include.warehouse.connect import connect

ERASED = "erased"  # in the place of the hash of the object that a message landed in
_AT_ONCE = 500


class Waiting(NamedTuple):
    """A message whose bytes are still in the inbox, opened. ``claim`` is None where no killed upload can hold it."""

    live_no: int
    claim: int | None
    content: bytes


def sources_waiting(work: Work, sources: Collection[str]) -> set[str]:
    """Those of some sources of which live messages wait for the night or for the watcher."""
    with connect("loader", settings=work.settings) as inbox:
        rows = inbox.execute(
            "select distinct source from intake.live where source = any(%s) and sealed is not null", [list(sources)]
        )
        return {source for (source,) in rows}


def erase_waiting(work: Work, source: Source, wanted: Wanted, keyring: Keyring) -> int:
    """Empty what waits of a source about a person. Returns messages emptied; done twice it finds none.

    The caller holds the source's lock of landing, so that no night takes the messages meanwhile.
    """
    if source.kind != "hl7v2":
        return 0
    with connect("loader", settings=work.settings) as inbox:
        found = list(_about(inbox, source, wanted, keyring))
        for claim in sorted({message.claim for message in found if message.claim is not None}):
            content = claimed_content(inbox, source.name, claim, keyring)
            key = object_key(source.name, hashlib.sha256(content).hexdigest())
            store.remove_all_versions(work.s3, work.settings.bucket_landing, key)
        inbox.execute(
            """update intake.live set sealed = null, landed_sha256 = coalesce(landed_sha256, %s),
                      landed_night = coalesce(landed_night, %s) where live_no = any(%s)""",
            [ERASED, work.night, [message.live_no for message in found]],
        )
    return len(found)


def _about(inbox, source: Source, wanted: Wanted, keyring: Keyring) -> Iterator[Waiting]:
    """Messages in which the person stands: many are read at once, and one by one only where somebody was found."""
    tokeniser = Tokeniser(keyring.token_key)
    for messages in _opened(inbox, source.name, keyring):
        if _stands_in(source, messages, wanted, tokeniser):
            yield from (each for each in messages if _stands_in(source, [each], wanted, tokeniser))


def _stands_in(source: Source, messages: list[Waiting], wanted: Wanted, tokeniser: Tokeniser) -> bool:
    content = framed(message.content for message in messages)
    landed = LandedObject(source.name, "", "", ".hl7", hint(), len(content))
    return bool(find_person(source, _InMemory(source, content), landed, wanted, tokeniser))


def _opened(inbox, source: str, keyring: Keyring) -> Iterator[list[Waiting]]:
    import pyrage

    identity = [pyrage.x25519.Identity.from_str(keyring.landing_identity)]
    last = 0
    while rows := inbox.execute(
        """select live_no, case when landed_sha256 is null then claim end, sealed from intake.live
           where source = %s and sealed is not null and live_no > %s order by live_no limit %s""",
        [source, last, _AT_ONCE],
    ).fetchall():
        last = rows[-1][0]
        yield [Waiting(number, claim, pyrage.decrypt(bytes(sealed), identity)) for number, claim, sealed in rows]


class _InMemory:
    """Messages where readers expect an object of landing."""

    def __init__(self, source: Source, content: bytes) -> None:
        self.source, self._content = source, content

    def open(self, landed: LandedObject) -> BinaryIO:
        return io.BytesIO(self._content)
