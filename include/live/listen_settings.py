"""How the listener is run: from the environment, with limits that no peer can talk it out of."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from include.errors import SettingsError

_NUMBERS = {
    "PLUMBLINE_LISTEN_MAX_CONNECTIONS": ("max_connections", 1),
    "PLUMBLINE_LISTEN_MAX_PER_PEER": ("max_per_peer", 1),
    "PLUMBLINE_LISTEN_MAX_MESSAGE_BYTES": ("max_message_bytes", 1024),
    "PLUMBLINE_LISTEN_IDLE_SECONDS": ("idle_seconds", 1),
    "PLUMBLINE_LISTEN_MESSAGE_SECONDS": ("message_seconds", 1),
}


@dataclass(frozen=True, slots=True)
class ListenSettings:
    """Limits and addresses. Seconds are whole; bytes count before sealing.

    ``message_seconds`` is how long a message may take from its first byte to its last, and an answer to be taken;
    ``idle_seconds`` how long a peer that has sent messages may be silent (a new one: ``message_seconds``).
    ``max_held_bytes`` is what all peers' unfinished and unanswered messages may take together.
    """

    host: str = "127.0.0.1"
    max_connections: int = 256
    max_per_peer: int = 64
    max_message_bytes: int = 8 << 20
    idle_seconds: int = 3600
    message_seconds: int = 30
    max_held_bytes: int = 256 << 20
    most_unanswered: int = 200
    certificate: Path | None = None
    private_key: Path | None = None
    client_authorities: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> ListenSettings:
        """Read PLUMBLINE_LISTEN_*. Raises SettingsError with everything that is wrong."""
        values: dict = {"host": environment.get("PLUMBLINE_LISTEN_HOST") or "127.0.0.1"}
        wrong = []
        for name, (word, least) in _NUMBERS.items():
            text = environment.get(name)
            if text and (not text.isdigit() or int(text) < least):
                wrong.append(f"{name} is not a whole number from {least}")
            elif text:
                values[word] = int(text)
        for name, word in (("CERT", "certificate"), ("KEY", "private_key"), ("CLIENT_CA", "client_authorities")):
            text = environment.get(f"PLUMBLINE_LISTEN_TLS_{name}")
            if text and not Path(text).is_file():
                wrong.append(f"PLUMBLINE_LISTEN_TLS_{name} names no file")
            values[word] = Path(text) if text else None
        if (values["certificate"] is None) != (values["private_key"] is None):
            wrong.append("of PLUMBLINE_LISTEN_TLS_CERT and PLUMBLINE_LISTEN_TLS_KEY only one is set")
        if values["client_authorities"] and not values["certificate"]:
            wrong.append("PLUMBLINE_LISTEN_TLS_CLIENT_CA is set without a certificate of our own")
        if wrong:
            raise SettingsError(
                found="; ".join(wrong),
                expected="the PLUMBLINE_LISTEN_* settings as .env.example explains them",
                action="correct the environment",
            )
        return cls(**values)

    def tls(self) -> ssl.SSLContext | None:
        """TLS 1.2 or newer where a certificate is set; with client authorities, peers have to show one of theirs."""
        if self.certificate is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.private_key)
        if self.client_authorities:
            context.load_verify_locations(self.client_authorities)
            context.verify_mode = ssl.CERT_REQUIRED
        return context
