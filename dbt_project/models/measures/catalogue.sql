with

catalogue as (

    select * from {{ ref('measure_catalogue') }}

),

readiness as (

    select * from {{ ref('int_measures__readiness') }}

)

select
    catalogue.measure_id,
    catalogue.title,
    catalogue.definition,
    catalogue.kind,
    catalogue.favourable_direction,
    catalogue.period_kind,
    catalogue.rate_per,
    catalogue.unit,
    catalogue.steward,
    catalogue.source,
    catalogue.value_sets,
    readiness.missing_value_sets,
    readiness.unseen_value_sets

from catalogue
inner join readiness using (measure_id)
