"""Seals the trail's newest entry in the locked audit bucket, signed: what a superuser rewrites later no longer fits."""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from include.audit.chain import Verdict, verify
from include.errors import PlumblineError
from include.settings import Settings

log = logging.getLogger(__name__)
PREFIX = "anchor/"


class AnchorError(PlumblineError):
    """An anchor is not what was signed, or the trail may not be anchored as it stands."""


def anchor_trail(night: date, settings: Settings | None = None) -> int:
    """Check the trail and seal its newest entry under the night's name. Returns the entry's number.

    Repeatable: each run of a night adds an anchor of its own. Raises AnchorError where the trail does not hold: a bent trail
    is not sealed as if it were straight.
    """
    settings = settings or Settings.from_environment()
    verdict = verify_trail(settings)
    if verdict.first_break:
        raise AnchorError(
            found=f"{verdict.first_break.kind}: {verdict.first_break.says}",
            expected="a trail that holds from its first entry on",
            action="keep the database as it is, compare it with its backups, and find out who could change it",
        )
    _seal(settings, f"{night}", {"night": str(night), "entry": verdict.entries, "hash": verdict.last_hash})
    return verdict.entries


def note_restored(settings: Settings, *, entry: int, hash: str, backup: str) -> int:
    """Seal that the trail goes on from ``entry`` because hot was restored from ``backup``. Returns how many anchors that sets aside.

    Anchors of later entries are of a trail that was lost with the database: without this word every check would call the
    restored one cut, for ever. It stays in the bucket, and every check tells of it.
    """
    ahead = {number: sealed for number, sealed in read_sealed(settings).anchors.items() if number > entry}
    _seal(settings, "restored", {"entry": entry, "hash": hash, "restored": backup, "lost": sorted(ahead.items())})
    return len(ahead)


def _seal(settings: Settings, name: str, said: dict[str, object]) -> None:
    from include.lifecycle.policy import load_retention
    from include.lifecycle.store import end_of, open_store, store_clock

    kept = timedelta(days=load_retention().rule("audit").retention_days)
    s3 = open_store(settings)
    now = store_clock(s3, settings.bucket_audit)
    said = {**said, "sealed_at": now.isoformat()}
    s3.put_object(
        Bucket=settings.bucket_audit,
        Key=f"{PREFIX}{name}-{said['entry']:012d}.json",
        Body=json.dumps({**said, "signature": _sign(settings, said)}, sort_keys=True).encode(),
        ContentType="application/json",
        ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=end_of(now.date() + kept),
    )


def seal_night(night: date, settings: Settings | None = None) -> int | None:
    """Check and seal the trail as a step of the night. Returns the number of the entry that is sealed, None where it failed.

    A trail that does not hold, or that cannot be sealed, stops nothing that follows: the failed step makes the night red.
    """
    from include.nights import step

    settings = settings or Settings.from_environment()
    try:
        with step(night, "seal", role="lifecycle", settings=settings) as running:
            entry = anchor_trail(night, settings)
            running.count(entries=entry)
            return entry
    except AnchorError as problem:
        log.error("%s", problem)
    except Exception as problem:  # the store may be down; its message may quote anything
        log.error("the audit trail could not be sealed: %s", type(problem).__name__)
    return None


def verify_trail(settings: Settings | None = None) -> Verdict:
    """Check the trail against itself and every anchor. Raises AnchorError where an anchor was forged."""
    from include.warehouse.connect import connect

    settings = settings or Settings.from_environment()
    with connect("privacy_officer", settings=settings, autocommit=True) as hot:
        return verify(hot, read_anchors(settings))


@dataclass(frozen=True, slots=True)
class Sealed:
    """What the bucket says: hashes by entry number that hold, and what was lost each time that hot was restored."""

    anchors: dict[int, str]
    restored: tuple[str, ...]


def read_anchors(settings: Settings) -> dict[int, str]:
    """Hashes by entry number, as ``read_sealed`` finds them."""
    return read_sealed(settings).anchors


def read_sealed(settings: Settings) -> Sealed:
    """Read every version of every anchor in the bucket, each with its signature checked.

    Raises AnchorError where one was not signed by this installation, or where two seal the same entry and disagree: the
    keyring's owner can sign anew what was rewritten, and what the store keeps locked then speaks against it.
    """
    sealed = list(_signed(settings))
    lost = {(number, hashed) for said in sealed for number, hashed in said.get("lost", ())}
    anchors: dict[int, str] = {}
    for said in sealed:
        number, hashed = int(said["entry"]), said["hash"]
        if (number, hashed) in lost:
            continue
        if anchors.setdefault(number, hashed) != hashed:
            raise AnchorError(
                found=f"two signed anchors of entry {number} that disagree",
                expected="an entry to be sealed as it stands, and never as something else",
                action="compare the versions of the anchors in the audit bucket by their age: the older one is what was there; "
                "find out who had the keyring when the younger was written",
            )
    anchors.pop(0, None)
    restored = sorted((said["sealed_at"], _loss(said)) for said in sealed if "restored" in said)
    return Sealed(anchors, tuple(told for _, told in restored))


def _loss(said: Mapping[str, Any]) -> str:
    upto = max((number for number, _ in said["lost"]), default=None)
    what = f"entries {said['entry'] + 1} to at least {upto} were lost" if upto else "nothing that was sealed was lost"
    return f"{said['sealed_at'][:10]}: hot was restored from {said['restored']}; {what}"


def _signed(settings: Settings) -> Iterator[dict[str, Any]]:
    from include.lifecycle.store import open_store

    s3 = open_store(settings)
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=settings.bucket_audit, Prefix=PREFIX):
        for version in page.get("Versions", ()):
            named = {"Key": version["Key"], "VersionId": version["VersionId"]}
            said = json.loads(s3.get_object(Bucket=settings.bucket_audit, **named)["Body"].read())
            signature = said.pop("signature", "")
            if not hmac.compare_digest(signature, _sign(settings, said)):
                raise AnchorError(
                    found="an anchor in the audit bucket that this installation did not sign",
                    expected="anchors signed with the keyring of this installation",
                    action="find out who can write to the bucket; check with the anchors that are signed",
                )
            yield said


def _sign(settings: Settings, said: Mapping[str, object]) -> str:
    from include.privacy.keyring import load_keyring

    # A key of its own, so that an anchor can never be taken for a token.
    key = hmac.digest(load_keyring(settings.keyring_dir).token_key, b"plumbline audit anchor", "sha256")
    return hmac.digest(key, json.dumps(said, sort_keys=True).encode(), "sha256").hex()
