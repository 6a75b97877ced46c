"""What every DAG of Plumbline has in common: when, how long, how often again, and what a failure leaves on the books."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from airflow.sdk import Param

from plumbline_airflow.failures import record_failed_step

TIMEZONE = ZoneInfo(os.environ.get("PLUMBLINE_TIMEZONE") or "UTC")
# Off where nights are only started by hand (the sample does not renew itself).
AT_TWO = None if os.environ.get("PLUMBLINE_SCHEDULE") == "off" else "0 2 * * *"
# Nights missed since this moment are caught up in order. Without it nobody asked for the past, and none is caught up.
FIRST_NIGHT = os.environ.get("PLUMBLINE_FIRST_NIGHT")
_SINCE = datetime.fromisoformat(FIRST_NIGHT or "2026-01-01")
# In the hospital's own zone, because Airflow reads the schedule in the zone of the start date.
START = _SINCE.astimezone(TIMEZONE) if _SINCE.tzinfo else _SINCE.replace(tzinfo=TIMEZONE)
NIGHT_MAY_TAKE = timedelta(hours=float(os.environ.get("PLUMBLINE_NIGHT_HOURS") or 6))

TASK_DEFAULTS = {
    "owner": "plumbline",
    # Every step may be done twice. At a terminal (retries 0) the person retries, and sees the error at once.
    "retries": int(os.environ.get("PLUMBLINE_TASK_RETRIES") or 2),
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=15),
    "execution_timeout": timedelta(hours=3),
    "on_failure_callback": record_failed_step,
}

NIGHT_PARAM = {
    "night": Param(
        None,
        type=["null", "string"],
        format="date",
        description="The night to run, YYYY-MM-DD. Empty: the day of the run in the hospital's time zone.",
    )
}

OLDER_PARAM = {
    "older": Param(
        False,
        type="boolean",
        description="Publish the night although analysts already see a later one, which gives way to it.",
    )
}
