{#-
    What looks wrong in the measures although nothing failed.
    Empty denominator: nobody in this year's, though 11 or more were in last year's and a quarter of this year has passed; or
    nobody in any measure's at all. Vanished encounters: none of a class in a source's newest 30 days, though the year before
    makes at least 7 likely (by Poisson, none would then be a chance of 1 in 1000).
-#}
with

catalogue as (

    select measure_id, title, period_kind from {{ ref('measure_catalogue') }}

),

readiness as (

    select measure_id, missing_value_sets from {{ ref('int_measures__readiness') }}

),

periods as (

    select * from {{ ref('int_measures__periods') }} where period_kind = 'calendar year'

),

people as (

    select measure_id, period_kind, period, people from {{ ref('int_measures__group_counts') }} where dimension = 'all'

),

denominators as (

    select
        catalogue.measure_id,
        catalogue.title,
        periods.period,
        periods.starts_on,
        periods.observed_before,
        coalesce(people.people, 0) as people,
        lag(coalesce(people.people, 0)) over (partition by catalogue.measure_id order by periods.starts_on) as people_before

    from catalogue
    inner join readiness using (measure_id)
    inner join periods using (period_kind)
    left join people using (measure_id, period_kind, period)

    where readiness.missing_value_sets is null

),

encounters as (

    select
        source,
        class_code,
        {{ utc_day('started_at') }} as started_on

    from {{ ref('int_encounters__matched') }}

    where {{ utc_day('started_at') }} <= {{ night() }} and class_code is not null

),

newest as (

    select source, max(started_on) as newest_on from encounters group by 1

),

classes as (

    select
        encounters.source,
        encounters.class_code,
        count(*) filter (where encounters.started_on > newest.newest_on - 30) as recent,
        count(*) filter (where encounters.started_on between newest.newest_on - 394 and newest.newest_on - 30) * 30 / 365.0 as likely

    from encounters
    inner join newest using (source)

    group by 1, 2

),

emptied as (

    select measure_id, title, period
    from denominators
    where people = 0 and people_before >= 11 and observed_before - starts_on >= 90

)

-- Measures that empty in the same period do so for one reason, as a rule: they are told together.
select
    'empty denominator' as alarm,
    string_agg(measure_id, ', ' order by measure_id) as subject,
    'nobody is in the denominator of ' || case when count(*) > 1 then count(*) || ' measures (' else '' end
    || string_agg('"' || title || '"', ', ' order by measure_id) || case when count(*) > 1 then ')' else '' end
    || ' in ' || period || ', though people were the year before' as said
from emptied
group by period

union all
select
    'empty denominator',
    'all measures',
    'nobody is in the denominator of any measure, though ' || (select count(*) from {{ ref('int_persons__resolved') }}) || ' people are known'
where
    not exists (select 1 from denominators where people > 0)
    and exists (select 1 from {{ ref('int_persons__resolved') }})

union all
select
    'vanished encounters',
    source || ' ' || class_code,
    source || ' has told of no encounter of class ' || class_code || ' in its newest 30 days; about ' || round(likely) || ' were likely'
from classes
where recent = 0 and likely >= 7
