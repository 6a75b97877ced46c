"""A manifest beside the objects for every batch-to-be: what came, when, how much. No names, no values.

The bucket tells by itself what it holds, should the database be lost: ``manifests/<source>/<batch id>.json``.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from include.landing.catalogue import LandedObject, batch_id
from include.settings import Settings


def manifest_key(source: str, batch: str) -> str:
    """Where a batch's manifest lies in the landing bucket."""
    return f"manifests/{source}/{batch}.json"


def describe_batch(source: str, dataset: str, night: date, objects: Sequence[LandedObject]) -> dict[str, Any]:
    """The manifest of the objects that wait to become one batch; record counts are the catalogue's, which knows them after loading."""
    return {
        "source": source,
        "dataset": dataset,
        "night": night.isoformat(),
        "batch": batch_id(source, dataset, night, [landed.sha256 for landed in objects]),
        "objects": [
            {
                "sha256": landed.sha256,
                "key": landed.object_key,
                "bytes": landed.bytes_received,
                "file_type": landed.file_type,
                "resource_type": landed.hint.get("resource_type"),
                "role": landed.hint.get("role"),
            }
            for landed in objects
        ],
        "count": {"objects": len(objects), "bytes": sum(landed.bytes_received for landed in objects)},
    }


def write_manifest(store: Any, settings: Settings, manifest: Mapping[str, Any]) -> str:
    """Put a manifest into the landing bucket, checked by its hash; the same again changes nothing. Returns its key."""
    key = manifest_key(manifest["source"], manifest["batch"])
    body = json.dumps(manifest, indent=1, sort_keys=True).encode()
    store.put_object(
        Bucket=settings.bucket_landing,
        Key=key,
        Body=body,
        ContentType="application/json",
        ChecksumSHA256=base64.b64encode(hashlib.sha256(body).digest()).decode(),
    )
    return key
