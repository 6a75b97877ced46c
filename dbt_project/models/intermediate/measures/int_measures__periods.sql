{#- Calendar years and influenza seasons (vaccination from 1 August to 31 March), the newest first unfinished. -#}
with

calendar_years as (

    select
        'calendar year' as period_kind,
        calendar_year::text as period,
        make_date(calendar_year, 1, 1) as starts_on,
        make_date(calendar_year + 1, 1, 1) as ends_before

    from generate_series({{ measurement_year() }} - {{ policy('measure_years') }} + 1, {{ measurement_year() }}) as calendar_year
    where {{ 'false' if var('measure_periods') else 'true' }}
    {%- for first, last in var('measure_periods') %}
    union all
    select 'calendar year', '{{ first }} to {{ last }}', date '{{ first }}', date '{{ last }}' + 1
    {%- endfor %}

),

influenza_seasons as (

    select
        'influenza season' as period_kind,
        first_year || '-' || right((first_year + 1)::text, 2) as period,
        make_date(first_year, 8, 1) as starts_on,
        make_date(first_year + 1, 4, 1) as ends_before

    from generate_series({{ measurement_year() }} - {{ policy('measure_years') }}, {{ measurement_year() }}) as first_year

),

periods as (

    select * from calendar_years
    union all
    select * from influenza_seasons

)

select
    period_kind,
    period,
    starts_on,
    ends_before,
    least(ends_before, {{ night() }} + 1) as observed_before,
    ends_before + {{ policy('disclosure_closes_after_days') }} <= {{ night() }} as is_closed

from periods

where starts_on <= {{ night() }}
