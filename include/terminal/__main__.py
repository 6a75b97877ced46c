"""``python -m include.terminal <verb>``: what the Makefile calls."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from include.command import CANNOT, run_command
from include.terminal import nightly


def _verbs() -> Mapping[str, Callable[[], int]]:
    from include.terminal import dbt_dev, docs_site, service, shell

    return {
        "nightly": nightly.run,
        "env": shell.print_environment,
        "psql": shell.open_psql,
        "up": service.up,
        "stop": service.stop,
        "status": service.status,
        "dbt": dbt_dev.run_dbt_as_developer,
        "dbt-diff": dbt_dev.show_differences,
        "docs": docs_site.serve_docs,
    }


def main(arguments: list[str] | None = None) -> int:
    """Do what the verb says. 2 with a sentence on standard error where it cannot be done."""
    arguments = sys.argv[1:] if arguments is None else arguments
    verbs = _verbs()
    if len(arguments) != 1 or arguments[0] not in verbs:
        print(f"usage: python -m include.terminal {'|'.join(verbs)}", file=sys.stderr)
        return CANNOT
    return run_command(arguments[0], verbs[arguments[0]])


if __name__ == "__main__":
    sys.exit(main())
