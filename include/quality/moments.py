"""Days and times as FHIR writes them, as the moments they can mean: pieces of SQL in which nothing can fail on a value."""

from __future__ import annotations

from psycopg import sql

# YYYY, YYYY-MM, YYYY-MM-DD, or a time with or without seconds and zone.
_DATE_FORM = (
    r"^[0-9]{4}(-(0[1-9]|1[0-2])(-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?)?)?$"
)
_YEAR, _MONTH = "^[1-9][0-9]{3}$", "^[1-9][0-9]{3}-(0[1-9]|1[0-2])$"


def first_moment(text: sql.Composable, moment: sql.Composable) -> sql.Composable:
    """The earliest moment that a FHIR date or dateTime can mean; null where it means none.

    Words that Postgres takes for times, such as 'now', are all shorter than a day is written.
    """
    return sql.SQL(
        """case when length({t}) >= 10 then {m}
                when {t} ~ {year} then ({t} || '-01-01')::timestamptz
                when {t} ~ {month} then ({t} || '-01')::timestamptz end"""
    ).format(t=text, m=moment, year=sql.Literal(_YEAR), month=sql.Literal(_MONTH))


def last_moment(text: sql.Composable, moment: sql.Composable) -> sql.Composable:
    """The last moment that a FHIR date or dateTime can mean: a day lasts until the next one."""
    return sql.SQL(
        """case when length({t}) = 10 then {m} + interval '1 day -1 microsecond'
                when length({t}) > 10 then {m}
                when {t} ~ {year} then ({t} || '-01-01')::timestamptz + interval '1 year -1 microsecond'
                when {t} ~ {month} then ({t} || '-01')::timestamptz + interval '1 month -1 microsecond' end"""
    ).format(t=text, m=moment, year=sql.Literal(_YEAR), month=sql.Literal(_MONTH))


def with_slack(text: sql.Composable, moment: sql.Composable, other: sql.Composable) -> sql.Composable:
    """A last moment, half a day later where it is only a day and the other is a time: the day may be one further west."""
    return sql.SQL("case when length({}) <= 10 and length({}) > 10 then {m} + interval '12 hours' else {m} end").format(
        text, other, m=moment
    )


def readable(text: sql.Composable, moment: sql.Composable) -> sql.Composable:
    """Whether a date is in FHIR's form and exists in the calendar; null where there is none."""
    return sql.SQL("case when {t} is not null then {t} ~ {form} and ({first}) is not null end").format(
        t=text, form=sql.Literal(_DATE_FORM), first=first_moment(text, moment)
    )
