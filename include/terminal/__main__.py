"""``python -m include.terminal <verb>``: what the Makefile calls."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Mapping

from include.errors import PlumblineError
from include.terminal import nightly

_ERROR = 2


def _verbs() -> Mapping[str, Callable[[], int]]:
    from include.terminal import dbt_dev, service, shell

    return {
        "nightly": nightly.run,
        "env": shell.print_environment,
        "psql": shell.open_psql,
        "up": service.up,
        "stop": service.stop,
        "status": service.status,
        "dbt": dbt_dev.run_dbt_as_developer,
        "dbt-diff": dbt_dev.show_differences,
        "docs": dbt_dev.serve_docs,
    }


def main(arguments: list[str] | None = None) -> int:
    """Do what the verb says. 2 with a sentence on standard error where it cannot be done."""
    arguments = sys.argv[1:] if arguments is None else arguments
    verbs = _verbs()
    if len(arguments) != 1 or arguments[0] not in verbs:
        print(f"usage: python -m include.terminal {'|'.join(verbs)}", file=sys.stderr)
        return _ERROR
    try:
        return verbs[arguments[0]]()
    except PlumblineError as problem:
        print(
            f"\n{arguments[0]}: {problem.found}.\n  expected: {problem.expected}\n  now: {problem.action}",
            file=sys.stderr,
        )
        return _ERROR
    except Exception:
        # Not 1, which would say that the night is red.
        traceback.print_exc()
        return _ERROR
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return nightly.INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
