"""Who may ask: a reviewed file of clients, each with an owner, an audience, an expiry and the hash of its key.

    clients:
      - name: equity dashboard
        owner: population health office
        audience: reader              # or analyst, or clinician: alerts about critical results, and nothing else
        key_sha256: 9f86d081884c7d65...
        expires: 2027-06-30

Keys are 256 random bits, so a plain hash of one gives nothing away; the file holds no secret.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from include.errors import PlumblineError
from include.settings import Settings
from include.sources.declared import Complaints, read_yaml

# audience -> the role that its requests are read as: in warm, a clinician's in hot
ROLES = {"reader": "api", "analyst": "analyst", "clinician": "clinician"}
OF_THE_MARTS = ("reader", "analyst")
_WORDS = {"name", "owner", "audience", "key_sha256", "expires"}


class ClientsError(PlumblineError):
    """The file of clients cannot be used as it stands."""


@dataclass(frozen=True, slots=True)
class Client:
    """One program that may ask, and as whom it reads."""

    name: str
    owner: str
    audience: str
    expires: date

    @property
    def role(self) -> str:
        """The database role that the client's requests are read as."""
        return ROLES[self.audience]


def clients_file(settings: Settings, environment: Mapping[str, str]) -> Path:
    """``PLUMBLINE_API_CLIENTS``, or ``api_clients.yml`` in the home."""
    return Path(environment.get("PLUMBLINE_API_CLIENTS") or settings.home / "api_clients.yml")


def new_key() -> tuple[str, str]:
    """A new key, to be given to its client once and kept nowhere here, and the hash that the file of clients holds."""
    key = secrets.token_urlsafe(32)
    return key, digest_of(key)


def digest_of(key: str) -> str:
    """SHA-256 of a key, as the file of clients writes it."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def entry_of(client: Client, digest: str) -> str:
    """A client as the file holds it."""
    said = {
        "name": client.name,
        "owner": client.owner,
        "audience": client.audience,
        "key_sha256": digest,
        "expires": client.expires,
    }
    return yaml.safe_dump([said], sort_keys=False, allow_unicode=True)


def add_client(file: Path, client: Client, digest: str) -> None:
    """Put a client into the file, which is made where there is none. Raises ClientsError where the file would not be right."""
    clients = load_clients(file) if file.is_file() else {}
    if client.name in {each.name for each in clients.values()}:
        raise ClientsError(
            found=f"{file.name} has a client {client.name!r} already", expected="a name of its own",
            action="choose another name, or delete the entry to give it a new key",
        )  # fmt: skip
    before = (
        file.read_text()
        if file.is_file()
        else "# Clients of the API. Deleting an entry takes its key back at once.\nclients:\n"
    )
    written = file.with_name(f".{file.name}.new")
    written.write_text(before.rstrip("\n") + "\n" + entry_of(client, digest))
    try:
        load_clients(written)
        written.replace(file)
    finally:
        written.unlink(missing_ok=True)


def load_clients(file: Path) -> dict[str, Client]:
    """Clients by the hash of their key. Raises ClientsError with everything that is wrong at once."""
    said = read_yaml(file, ClientsError)
    wrong = Complaints(file)
    wrong.refuse_unknown("the file", said, {"clients"})
    entries = said.get("clients")
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        wrong.add("'clients' is not a list of clients")
        entries = []
    clients: dict[str, Client] = {}
    for number, entry in enumerate(entries, 1):
        where = f"client {entry.get('name') or number}"
        if _is_right(where, entry, wrong):
            if entry["key_sha256"] in clients or entry["name"] in {each.name for each in clients.values()}:
                wrong.add(f"{where}: its name or key is that of another")
            clients[entry["key_sha256"]] = Client(
                entry["name"], entry["owner"], entry["audience"], _day(entry["expires"])
            )
    wrong.raise_any(ClientsError, expected="clients with " + ", ".join(sorted(_WORDS)))
    return clients


def _is_right(where: str, entry: Mapping[str, Any], wrong: Complaints) -> bool:
    before = len(wrong.found)
    wrong.refuse_unknown(where, entry, _WORDS)
    for word in ("name", "owner"):
        if not isinstance(entry.get(word), str) or not entry[word].strip():
            wrong.add(f"{where}: {word} is missing")
    wrong.choice(f"{where}: audience", entry.get("audience"), tuple(ROLES))
    if not re.fullmatch(r"[0-9a-f]{64}", str(entry.get("key_sha256"))):
        wrong.add(f"{where}: key_sha256 is not the SHA-256 of a key in 64 hex digits ('make api-key' makes both)")
    if _day(entry.get("expires")) is None:
        wrong.add(f"{where}: expires is not a day written YYYY-MM-DD")
    return len(wrong.found) == before


def _day(said: object) -> date | None:
    if isinstance(said, date):
        return said
    try:
        return date.fromisoformat(str(said))
    except ValueError:
        return None
