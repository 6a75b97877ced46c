"""What the night tells other programs: metrics and lineage. Neither may spoil a night that is over."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date
from pathlib import Path

from include.quality.lineage import write_lineage
from include.quality.metrics import write_metrics
from include.settings import Settings

log = logging.getLogger(__name__)


def tell_machines(night: date, settings: Settings | None = None) -> list[Path]:
    """Write metrics and lineage of a closed night; returns the files written. What goes wrong is logged by its class."""
    writers: tuple[Callable, ...] = (write_metrics, write_lineage)
    return [path for write in writers if (path := _try(write, night, settings)) is not None]


def _try(write: Callable, night: date, settings: Settings | None) -> Path | None:
    try:
        return write(night, settings)
    except Exception as problem:  # its text may quote what a database said
        log.error("%s wrote nothing: %s", write.__name__, type(problem).__name__)
        return None
