"""Telling the verdict: read it from the books, send it where configured, and be red where it is red."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from datetime import date

from include.alerts.channels import AlertError, Mail, Webhook, channels_from_environment
from include.alerts.message import Message, message_for
from include.errors import PlumblineError
from include.settings import Settings
from include.warehouse.connect import connect

_TRIES_AFTER_SECONDS = (0, 2, 8)


class RedNightError(PlumblineError):
    """A promise is broken: nothing was published, or a step after publishing failed."""


def tell_verdict(night: date, settings: Settings | None = None) -> str:
    """Send the message of an amber or red night and return the verdict.

    Raises RedNightError on a red one, AlertError where no try to deliver the message succeeded.
    """
    settings = settings or Settings.from_environment(os.environ)
    message = read_message(night, settings)
    undelivered = _send_everywhere(message, settings) if message.verdict != "green" else []
    if message.verdict == "red":
        raise RedNightError(
            found=f"the night of {night} is red: {'; '.join(message.reasons[:3]) or 'no reason on the books'}",
            expected="every promise kept",
            action="read the night's report" + (f"; {undelivered[0].found}" if undelivered else ""),
        )
    if undelivered:
        raise undelivered[0]
    return message.verdict


def close_and_tell_unfinished(night: date, settings: Settings | None = None) -> str | None:
    """For a night that was stopped: close its books and send the message. None where it already has its verdict."""
    from include.verdict import close_night

    settings = settings or Settings.from_environment(os.environ)
    with connect("publisher", "hot", settings) as books:
        row = books.execute("select verdict from lifecycle.night where night = %s", [night]).fetchone()
    if row is None or row[0] is not None:
        return None
    verdict = close_night(night, settings)
    _send_everywhere(read_message(night, settings), settings)
    return verdict


def read_message(night: date, settings: Settings) -> Message:
    """The night's message from lifecycle.night. Raises RedNightError where the night has no verdict."""
    with connect("publisher", "hot", settings) as books:
        row = books.execute(
            "select verdict, reasons, report_path, published from lifecycle.night where night = %s and verdict is not null",
            [night],
        ).fetchone()
    if row is None:
        raise RedNightError(
            found=f"the night of {night} has no verdict",
            expected="its books to be closed",
            action="run the night again; what was done is kept",
        )
    return message_for(night, *row)


def _send_everywhere(message: Message, settings: Settings) -> list[AlertError]:
    return list(deliver(message, channels_from_environment(os.environ, settings)))


def deliver(
    message: Message, channels: Iterable[Webhook | Mail], *, wait: Callable[[float], None] = time.sleep
) -> Iterable[AlertError]:
    """Try each channel up to three times; yields the last error of each that never took the message."""
    for channel in channels:
        problem: AlertError | None = None
        for seconds in _TRIES_AFTER_SECONDS:
            wait(seconds)
            try:
                channel.send(message)
                problem = None
                break
            except AlertError as undelivered:
                problem = undelivered
        if problem is not None:
            yield problem
