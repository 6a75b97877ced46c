"""The local keyring: key-encryption keys by version, the token key, and the identity that opens landing objects.

A keyring is made once, on purpose, by ``create_keyring``. Reading one never makes a key: a keyring that is missing,
incomplete or altered is an error, because a new key in its place would unlink every person and open nothing.

Everything secret is in files of mode 0600 in one folder of mode 0700. ``keyring.json`` lists the files with a check
value each, and is itself signed with the token key, so that a key of another keyring or a changed list is noticed.
A version whose key-encryption key an AWS KMS key wraps (``kek-0002.kms``) is opened by ``include.privacy.kms``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from include.errors import PlumblineError

MANIFEST = "keyring.json"
HMAC_KEY_FILE = "token.key"
LANDING_IDENTITY = "landing.age"
KEY_BYTES = 32
_FORMAT = 1
_RESTORE = "mount or restore the keyring this installation was made with; never make a new one for existing data"


class KeyringError(PlumblineError):
    """The keyring is missing, incomplete, altered, readable by others, or already there when one was to be made."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """Keys in memory. Not shown when printed: a repr ends in logs."""

    token_key: bytes = field(repr=False)
    key_encryption_keys: Mapping[int, bytes] = field(repr=False)
    current_version: int
    landing_identity: str = field(repr=False)
    landing_recipient: str
    folder: Path | None = field(default=None, compare=False, repr=False)

    def key_encryption_key(self, version: int) -> bytes:
        """The key-encryption key of a version. Raises KeyringError if this keyring does not have it.

        A version added since the keyring was read is looked for in its folder: a night goes on while keys are rotated.
        """
        known = self.key_encryption_keys
        if version not in known and self.folder is not None:
            known = load_keyring(self.folder).key_encryption_keys
        try:
            return known[version]
        except KeyError as cause:
            raise KeyringError(
                found=f"a data key wrapped under key-encryption key version {version}, which this keyring does not have",
                expected=f"one of the versions {sorted(self.key_encryption_keys)}",
                action="mount the keyring that has this version, or finish re-wrapping before retiring it",
            ) from cause


def create_keyring(folder: Path) -> Keyring:
    """Make a new keyring in ``folder``, which may exist but must hold none. Returns it as ``load_keyring`` would.

    Raises KeyringError if any of a keyring's files is already there.
    """
    import pyrage

    there = [name for name in (MANIFEST, HMAC_KEY_FILE, LANDING_IDENTITY) if (folder / name).exists()]
    if there:
        raise KeyringError(
            found=f"the folder already holds {', '.join(there)}",
            expected="a folder without a keyring",
            action="use the keyring that is there; to start over, remove the data it protects first",
        )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    identity = pyrage.x25519.Identity.generate()
    token_key = secrets.token_bytes(KEY_BYTES)
    files = {
        HMAC_KEY_FILE: token_key.hex(),
        _kek_file(1): secrets.token_bytes(KEY_BYTES).hex(),
        LANDING_IDENTITY: str(identity),
    }
    for name, text in files.items():
        _write_private(folder / name, text + "\n")
    # The manifest comes last: a folder without one was never finished, and is never taken for a keyring.
    _write_manifest(
        folder, token_key, 1, {name: _check_value(text) for name, text in files.items()}, str(identity.to_public())
    )
    return load_keyring(folder)


def load_keyring(folder: Path) -> Keyring:
    """Read and check a keyring. Raises KeyringError naming what is missing or altered; never writes."""
    manifest = _read_manifest(folder)
    texts = {name: _read_private(folder / name) for name in manifest["files"]}
    altered = sorted(name for name, text in texts.items() if _check_value(text) != manifest["files"][name])
    missing = {HMAC_KEY_FILE, LANDING_IDENTITY} - texts.keys()
    if altered or missing:
        raise KeyringError(
            found=f"keyring files altered or not listed: {', '.join(sorted({*altered, *missing}))}",
            expected="the files the keyring was made with",
            action=_RESTORE,
        )
    token_key = _key(texts[HMAC_KEY_FILE], HMAC_KEY_FILE)
    if not hmac.compare_digest(manifest["signature"], _signature(token_key, manifest)):
        raise KeyringError(
            found="keyring.json was not signed with this keyring's token key",
            expected="the list of files as the keyring was made or last rotated",
            action=_RESTORE,
        )
    keks = {int(name[4:-4]): _open_kek(text, name) for name, text in texts.items() if name.startswith("kek-")}
    if manifest["current"] not in keks:
        raise KeyringError(
            found="the current key-encryption key is not in the keyring",
            expected="its file beside the others",
            action=_RESTORE,
        )
    return Keyring(token_key, keks, manifest["current"], texts[LANDING_IDENTITY], manifest["landing_recipient"], folder)


def add_key_encryption_key(folder: Path, kms_key_id: str | None = None) -> int:
    """Add the next version and make it current; older versions stay to open what they wrapped. Returns the version.

    With ``kms_key_id`` the file holds the key wrapped by that AWS KMS key. Raises KmsError where KMS refuses.
    """
    keyring, manifest = load_keyring(folder), _read_manifest(folder)
    # Never a number that was used before, also of a version that was retired.
    version = max(*keyring.key_encryption_keys, manifest.get("highest", 0)) + 1
    text, path = secrets.token_bytes(KEY_BYTES).hex(), folder / _kek_file(version)
    if kms_key_id is not None:
        from include.privacy.kms import wrap_kek

        text, path = wrap_kek(bytes.fromhex(text), version, kms_key_id), path.with_suffix(".kms")
    path.unlink(missing_ok=True)  # left by a try that ended before the manifest named it: nothing was wrapped with it
    _write_private(path, text + "\n")
    files = {**manifest["files"], path.name: _check_value(text)}
    made = {**manifest.get("made", {}), str(version): datetime.now(UTC).date().isoformat()}
    _write_manifest(folder, keyring.token_key, version, files, keyring.landing_recipient, made=made, highest=version)
    return version


def made_on(folder: Path) -> dict[int, date]:
    """When versions were made; the first of a keyring is not in it."""
    return {int(version): date.fromisoformat(day) for version, day in _read_manifest(folder).get("made", {}).items()}


def remove_key_encryption_key(folder: Path, version: int) -> None:
    """Take a version out of the keyring for good. ``include.privacy.rotation.retire`` makes sure that nothing needs it."""
    keyring, manifest = load_keyring(folder), _read_manifest(folder)
    names = [name for name in manifest["files"] if name.startswith(f"kek-{version:04d}.")]
    if not names or version == keyring.current_version:
        raise KeyringError(
            found=f"version {version} is {'the current one' if names else 'not in the keyring'}",
            expected="an older version",
            action="rotate first, re-wrap, and retire the version before",
        )
    files = {name: value for name, value in manifest["files"].items() if name not in names}
    kept = {word: manifest[word] for word in ("made",) if word in manifest}
    highest = max(manifest.get("highest", 0), *keyring.key_encryption_keys)
    _write_manifest(
        folder, keyring.token_key, keyring.current_version, files, keyring.landing_recipient, **kept, highest=highest
    )
    for name in names:
        (folder / name).unlink()


def _open_kek(text: str, name: str) -> bytes:
    if not name.endswith(".kms"):
        return _key(text, name)
    from include.privacy.kms import unwrap_kek

    return unwrap_kek(text, int(name[4:-4]))


def _kek_file(version: int) -> str:
    return f"kek-{version:04d}.key"


def _key(text: str, name: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyringError(found=f"{name} does not hold a key", expected=f"{KEY_BYTES} bytes in hex", action=_RESTORE)
    return key


def _check_value(text: str) -> str:
    # Of a uniformly random 256-bit key, so that the hash tells nothing about it.
    return hashlib.sha256(b"plumbline keyring " + text.encode()).hexdigest()


def _signature(token_key: bytes, manifest: Mapping[str, object]) -> str:
    signed = {name: value for name, value in manifest.items() if name != "signature"}
    return hmac.digest(token_key, json.dumps(signed, sort_keys=True).encode(), "sha256").hex()


def _write_manifest(
    folder: Path, token_key: bytes, current: int, files: Mapping[str, str], recipient: str, **more: object
) -> None:
    manifest = {"format": _FORMAT, "current": current, "files": dict(files), "landing_recipient": recipient, **more}
    manifest["signature"] = _signature(token_key, manifest)
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".keyring-")  # mkstemp makes files of mode 0600
    with os.fdopen(descriptor, "w") as file:
        json.dump(manifest, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).replace(folder / MANIFEST)


def _read_manifest(folder: Path) -> dict:
    try:
        manifest = json.loads(_read_private(folder / MANIFEST))
        manifest["files"], manifest["current"], manifest["landing_recipient"], manifest["signature"]
    except (ValueError, KeyError, TypeError) as cause:
        raise KeyringError(
            found="keyring.json cannot be understood", expected="the list as it was written", action=_RESTORE
        ) from cause
    if manifest.get("format") != _FORMAT:
        raise KeyringError(
            found="a keyring of another format",
            expected=f"format {_FORMAT}",
            action="use the release that made this keyring",
        )
    return manifest


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _read_private(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o077:
            raise KeyringError(
                found=f"{path.name} can be read by others",
                expected="mode 0600",
                action=f"chmod 600 {path.name} in the keyring's folder",
            )
        return path.read_text().strip()
    except OSError as cause:
        raise KeyringError(
            found=f"{path.name} cannot be read ({type(cause).__name__})",
            expected="a complete keyring in PLUMBLINE_KEYRING_DIR",
            action=_RESTORE,
        ) from cause
