"""The keys' desk: ``python -m include.privacy.key_desk <verb>``.

status   versions of the key-encryption key, data keys under each, what the policy asks for
rotate   make a new version current (--kms KEY: wrapped by that AWS KMS key) and re-wrap every data key
rewrap   re-wrap what is still under an older version
retire   say whether an older version may go (--version); --do removes it for good
check    open every data key and count those that do not
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from include.command import run_command
from include.privacy import rotation
from include.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Returns 0, 1 where keys are damaged, or 2 with the error's text on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m include.privacy.key_desk",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("verb", choices=("status", "rotate", "rewrap", "retire", "check"))
    parser.add_argument("--by", default="", help="who does it; goes to the audit trail")
    parser.add_argument("--kms", metavar="KEY", help="rotate: ARN or alias of the AWS KMS key")
    parser.add_argument("--version", type=int, help="retire: which")
    parser.add_argument(
        "--do", action="store_true", help="retire: remove it; there is no way back but a backup of the keyring"
    )
    asked = parser.parse_args(arguments)
    if asked.verb in ("rotate", "rewrap", "retire") and not asked.by.strip():
        parser.error("say who does it with --by")
    if asked.verb == "retire" and asked.version is None:
        parser.error("say which with --version")
    return run_command("keys", lambda: _do(asked, Settings.from_environment()))


def _do(asked: argparse.Namespace, settings: Settings) -> int:
    if asked.verb == "status":
        return _status(settings)
    if asked.verb == "check":
        counts = rotation.check_keys(settings)
        print(", ".join(f"{name} {count}" for name, count in counts.items()))
        return 1 if counts["damaged"] or counts["without_version"] else 0
    if asked.verb == "retire":
        if not asked.do:
            rotation.refuse_needed(settings, asked.version)
            print(
                f"Nothing needs version {asked.version} and its days are over. Nothing was changed; --do removes it for good."
            )
            return 0
        rotation.retire(settings, asked.version, by=asked.by)
        print(f"version {asked.version} is gone")
        return 0
    if asked.verb == "rotate":
        print(f"version {rotation.rotate(settings, by=asked.by, kms_key_id=asked.kms)} is current")
    print(", ".join(f"{name} {count}" for name, count in rotation.rewrap(settings, by=asked.by).items()))
    return 0


def _status(settings: Settings) -> int:
    policy, today = rotation.load_key_policy(), datetime.now(UTC).date()
    for version in rotation.versions(settings):
        where = "missing from the keyring" if not version.is_here else "AWS KMS" if version.is_kms else "keyring"
        made = f"made {version.made}" if version.made else "made with the keyring"
        print(
            f"version {version.version}{' (current)' if version.is_current else ''}: {version.data_keys} data keys, {where}, {made}"
        )
        if version.is_current and version.made and today >= version.made + timedelta(days=policy.rotate_after_days):
            print(f"  older than the {policy.rotate_after_days} days of the policy: rotate")
    return 0


if __name__ == "__main__":
    sys.exit(main())
