"""``make api`` and ``make api-key``.

python -m include.api serve --port 8410          serve what is published, until stopped
python -m include.api key "equity dashboard"     a new key for a client, shown once; its hash goes into the file of clients
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from include.api.clients import ROLES, Client, ClientsError, add_client, clients_file, entry_of, new_key
from include.command import run_command
from include.settings import Settings

LOOPBACK = ("127.0.0.1", "::1", "localhost")
MOST_AT_ONCE = 64
GOOD_FOR_DAYS = 365


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 2 where it cannot be done."""
    given = _parser().parse_args(arguments)
    return run_command("api", lambda: given.run(given))


def _serve(given: argparse.Namespace) -> int:
    import uvicorn

    from include.api.server import create_app

    settings = Settings.from_environment(os.environ)
    has_tls = _has_tls(given)
    base = (
        given.base
        or os.environ.get("PLUMBLINE_API_BASE")
        or f"{'https' if has_tls else 'http'}://{given.address}:{given.port}"
    )
    app = create_app(settings, clients_file(settings, os.environ), base.rstrip("/"))
    print(f"population health and equity as FHIR R4: {base}/fhir/metadata (Ctrl-C stops)", file=sys.stderr)
    print(f"  try: curl -H 'Authorization: Bearer <key>' '{base}/equity/findings?_format=csv'", file=sys.stderr)
    uvicorn.run(
        app, host=given.address, port=given.port, ssl_certfile=given.certificate, ssl_keyfile=given.key,
        limit_concurrency=MOST_AT_ONCE, timeout_keep_alive=10, access_log=False, log_level="warning", server_header=False,
    )  # fmt: skip
    return 0


def _has_tls(given: argparse.Namespace) -> bool:
    if given.certificate and given.key:
        return True
    if given.address not in LOOPBACK and not given.behind_proxy:
        raise ClientsError(
            found=f"{given.address} without TLS: keys would cross the network in clear",
            expected="--certificate and --key, or --behind-proxy where a proxy on this machine does TLS",
            action="give them, or serve on 127.0.0.1",
        )
    return False


def _key(given: argparse.Namespace) -> int:
    file = clients_file(Settings.from_environment(os.environ), os.environ)
    key, digest = new_key()
    expires = datetime.now(UTC).date() + timedelta(days=GOOD_FOR_DAYS)
    entry = Client(given.name, given.owner, given.audience, expires)
    if given.only_print:
        print(f"entry for the file of clients:\n{entry_of(entry, digest)}")
    else:
        add_client(file, entry, digest)
        print(f"{given.name} reads as {given.audience} until {expires}; entered in {file}")
    print(f"its key, shown once; give it to the client and keep it nowhere else:\n\n  {key}\n")
    print("to take it back, delete the entry; a running server sees that at once")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m include.api", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    serve = commands.add_parser("serve", help="serve what is published, until stopped")
    serve.add_argument("--address", default="127.0.0.1", help="address to listen on (default: this machine only)")
    serve.add_argument("--port", type=int, default=8410)
    serve.add_argument(
        "--base", help="the address that clients use, where it is another than the one listened on (PLUMBLINE_API_BASE)"
    )
    serve.add_argument("--certificate", type=Path, help="TLS: file of the certificate chain")
    serve.add_argument("--key", type=Path, help="TLS: file of the private key")
    serve.add_argument("--behind-proxy", action="store_true", help="a proxy on this machine or network does TLS")
    serve.set_defaults(run=_serve)
    key = commands.add_parser("key", help="make a key for a client and print its entry")
    key.add_argument("name")
    key.add_argument("--owner", default="not said", help="who answers for the client")
    key.add_argument("--audience", choices=sorted(ROLES), default="reader")
    key.add_argument(
        "--only-print", action="store_true", help="print the entry for a reviewed file instead of adding it"
    )
    key.set_defaults(run=_key)
    return parser


if __name__ == "__main__":
    sys.exit(main())
