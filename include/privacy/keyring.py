"""The local keyring: key-encryption keys by version, the token key, and the identity that opens landing objects.

A keyring is made once, on purpose, by ``create_keyring``. Reading one never makes a key: a keyring that is missing,
incomplete or altered is an error, because a new key in its place would unlink every person and open nothing.

Everything secret is in files of mode 0600 in one folder of mode 0700. ``keyring.json`` lists the files with a check
value each, and is itself signed with the token key, so that a key of another keyring or a changed list is noticed.
Another place of key-encryption keys (AWS KMS) would hand out its unwrapped key under the same ``Keyring``.
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

    def key_encryption_key(self, version: int) -> bytes:
        """The key-encryption key of a version. Raises KeyringError if this keyring does not have it."""
        try:
            return self.key_encryption_keys[version]
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
    keks = {int(name[4:-4]): _key(text, name) for name, text in texts.items() if name.startswith("kek-")}
    if manifest["current"] not in keks:
        raise KeyringError(
            found="the current key-encryption key is not in the keyring",
            expected="its file beside the others",
            action=_RESTORE,
        )
    return Keyring(token_key, keks, manifest["current"], texts[LANDING_IDENTITY], manifest["landing_recipient"])


def add_key_encryption_key(folder: Path) -> int:
    """Add the next version and make it current; older versions stay to open what they wrapped. Returns the version."""
    keyring, manifest = load_keyring(folder), _read_manifest(folder)
    version = max(keyring.key_encryption_keys) + 1
    text = secrets.token_bytes(KEY_BYTES).hex()
    path = folder / _kek_file(version)
    path.unlink(missing_ok=True)  # left by a try that ended before the manifest named it: nothing was wrapped with it
    _write_private(path, text + "\n")
    files = {**manifest["files"], path.name: _check_value(text)}
    _write_manifest(folder, keyring.token_key, version, files, keyring.landing_recipient)
    return version


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


def _write_manifest(folder: Path, token_key: bytes, current: int, files: Mapping[str, str], recipient: str) -> None:
    manifest = {"format": _FORMAT, "current": current, "files": dict(files), "landing_recipient": recipient}
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
