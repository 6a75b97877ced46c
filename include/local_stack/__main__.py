"""The stack from the command line: ``python -m include.local_stack <verb>``.

``compose-secrets`` makes the folder that docker-compose.yml mounts. ``migrate`` brings the databases and buckets of any installation up to date, embedded or not.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from include.command import run_command
from include.local_stack import stack
from include.local_stack.containers import make_compose_home
from include.settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Do what the command says; 0 when done, 2 with a sentence on standard error when not."""
    parser = argparse.ArgumentParser(prog="python -m include.local_stack", description=__doc__)
    parser.add_argument("verb", choices=("up", "down", "status", "destroy", "migrate", "compose-secrets"))
    parser.add_argument("--home", type=Path, default=Path(os.environ.get("PLUMBLINE_HOME") or ".local"))
    chosen = parser.parse_args(arguments)
    return run_command("local stack", lambda: _do(chosen.verb, chosen.home))


def _do(verb: str, home: Path) -> int:
    if verb == "up":
        stack.up(home, say=print)
    elif verb == "down":
        stack.down(home, say=print)
    elif verb == "destroy":
        stack.destroy(home)
    elif verb == "migrate":
        stack.migrate_installation(Settings.from_environment(os.environ), say=print)
    elif verb == "compose-secrets":
        make_compose_home(home / "compose", say=print)
    else:
        for name, value in stack.status(home).items():
            print(f"{name}: {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
