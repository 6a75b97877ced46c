"""The certificate by which the S3 server's inner parts know each other, so that nobody else on the machine can talk to them."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from include.local_stack.home import write_private

PARTS = ("volume", "master", "filer", "s3", "msg_broker", "msg_agent", "admin", "worker", "mq", "client")
AUTHORITY, CERTIFICATE, PRIVATE_KEY = "inside-ca.pem", "inside.pem", "inside.key"


def ensure_certificate(folder: Path, hosts: tuple[str, ...]) -> None:
    """Make the one certificate, for these host names and loopback, where it was not made before.

    The authority that signs it signs nothing else: its own key is never written down.
    """
    if (folder / PRIVATE_KEY).is_file():
        return
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.x509.oid import ExtendedKeyUsageOID

    signing, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _certificate("plumbline s3", signing, x509.BasicConstraints(ca=True, path_length=0))
    names = [*map(x509.DNSName, hosts), x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    certificate = _certificate(
        "inside", own, x509.SubjectAlternativeName(names), usage, issuer=authority, signing=signing
    )
    write_private(folder / AUTHORITY, authority.public_bytes(Encoding.PEM).decode())
    write_private(folder / CERTIFICATE, certificate.public_bytes(Encoding.PEM).decode())
    key = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_private(folder / PRIVATE_KEY, key.decode())  # last: without it the others are made anew


def security_lines(folder: Path) -> str:
    """What security.toml says of it; ``folder`` is where the server sees the files."""
    own = f'cert = "{folder / CERTIFICATE}"\nkey = "{folder / PRIVATE_KEY}"\n'
    return f'[grpc]\nca = "{folder / AUTHORITY}"\n' + "".join(f"[grpc.{part}]\n{own}" for part in PARTS)


def _certificate(name: str, key, *extensions, issuer=None, signing=None):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import NameOID

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))  # a clock that is set back must not lock objects away
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
    )
    for extension in extensions:
        made = made.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    return made.sign(signing or key, hashes.SHA256())
