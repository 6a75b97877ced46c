"""Key-encryption keys wrapped by AWS KMS: one call a version and process, never one a data key.

Where KMS is and who asks is boto3's own business (region from the key's ARN, AWS_ENDPOINT_URL_KMS, the usual credentials). The
version is the encryption context, so that one version's wrapped key cannot be passed off as another's.
"""

from __future__ import annotations

import base64
import json
from functools import lru_cache

from include.errors import PlumblineError


class KmsError(PlumblineError):
    """KMS did not wrap or open a key-encryption key."""


def wrap_kek(kek: bytes, version: int, kms_key_id: str) -> str:
    """Have KMS wrap a key-encryption key. Returns the text of its keyring file. Raises KmsError."""
    answer = _ask("encrypt", kms_key_id, version, KeyId=kms_key_id, Plaintext=kek)
    said = {"kms_key": answer["KeyId"], "wrapped": base64.b64encode(answer["CiphertextBlob"]).decode()}
    return json.dumps(said, sort_keys=True)


@lru_cache(maxsize=64)
def unwrap_kek(text: str, version: int) -> bytes:
    """Have KMS open what ``wrap_kek`` wrote; remembered in this process' memory only. Raises KmsError."""
    try:
        said = json.loads(text)
        key_id, wrapped = said["kms_key"], base64.b64decode(said["wrapped"], validate=True)
    except (ValueError, KeyError, TypeError) as cause:
        raise _refused(version, "its file in the keyring cannot be understood") from cause
    return _ask("decrypt", key_id, version, KeyId=key_id, CiphertextBlob=wrapped)["Plaintext"]


def _ask(verb: str, key_id: str, version: int, **asked: object) -> dict:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    patient = Config(connect_timeout=5, read_timeout=20, retries={"max_attempts": 4, "mode": "standard"})
    try:
        client = boto3.client("kms", region_name=_region_of(key_id), config=patient)
        return getattr(client, verb)(
            EncryptionContext={"plumbline": "key-encryption-key", "version": str(version)}, **asked
        )
    except ClientError as refusal:
        raise _refused(version, f"KMS refused to {verb} ({refusal.response['Error']['Code']})") from refusal
    except BotoCoreError as trouble:
        raise _refused(version, f"KMS could not be asked to {verb} ({type(trouble).__name__})") from trouble


def _region_of(key_id: str) -> str | None:
    parts = key_id.split(":")
    return parts[3] if key_id.startswith("arn:") and len(parts) > 5 else None


def _refused(version: int, found: str) -> KmsError:
    return KmsError(
        found=f"key-encryption key version {version}: {found}",
        expected="the KMS key that wrapped it, enabled, and leave to use it with the context of its version",
        action="look at the KMS key's state and policy; nothing was lost, and data keys open again once KMS answers",
    )
