"""Whose terminal a command was given at: names in a command are typed, the account that runs it is not."""

from __future__ import annotations

import os
import pwd
import socket

from include.audit.chain import append
from include.settings import Settings


def note_login(verb: str, settings: Settings | None = None) -> None:
    """Tell the trail, as ``desk.used``, which account of which host gives a command that names people.

    ``sudo_from`` is what sudo says of the account before it. A records manager who finds two names and one login knows whom to ask.
    """
    from include.warehouse.connect import connect

    with connect("privacy_officer", settings=settings) as hot:
        append(hot, "desk.used", verb, login())


def login() -> dict[str, str]:
    """Account and host of this process, as the operating system tells them."""
    user = os.getuid()
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:  # a container may run as a number that has no name
        name = str(user)
    before = os.environ.get("SUDO_USER")
    return {"login": name, "host": socket.gethostname(), **({"sudo_from": before} if before else {})}
