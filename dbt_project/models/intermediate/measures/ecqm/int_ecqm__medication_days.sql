{#-
    Days covered by active orders of dementia medications (CQL: Status.isMedicationActive,
    CumulativeMedicationDuration.medicationRequestPeriod): from the start of the dosage's bounds, else the day it was ordered,
    for the days supplied times the fills; without them until the bounds end. Several dosages in one order: not computed.
-#}
with

medications as (

    select * from {{ ref('int_medications__current') }}

    where
        kind = 'request'
        and status = 'active'
        and coalesce(intent, 'order') in ('order', 'original-order', 'reflex-order', 'filler-order', 'instance-order')
        and not is_negated

),

codings as (

    {{ every_coding('medications', ['medication_key']) }}

),

dementia_medications as (

    select medications.*
    from medications
    where medication_key in (
        select codings.medication_key
        from codings
        inner join {{ ref('int_ecqm__codes') }} as codes
            on codes.value_set = 'dementia_medications'
            and codes.code = codings.code
            and codes.system = {{ code_system('codings.system') }}
    )

),

dosed as (

    select
        dementia_medications.person_key,
        dementia_medications.medication_key,
        dementia_medications.authored_at,
        dementia_medications.ended_at,
        dementia_medications.dispense,
        told.*

    from dementia_medications
    left join lateral json_table(
        case when jsonb_array_length(dementia_medications.dosage) = 1 then dementia_medications.dosage end, '$[0]' columns (
            doses_told bigint path '$.doseAndRate.size()' null on error,
            dose numeric path '$.doseAndRate[0].doseQuantity.value' null on error,
            dose_high numeric path '$.doseAndRate[0].doseRange.high.value' null on error,
            frequency numeric path '$.timing.repeat.frequency' null on error,
            frequency_max numeric path '$.timing.repeat.frequencyMax' null on error,
            period numeric path '$.timing.repeat.period' null on error,
            period_unit text path '$.timing.repeat.periodUnit' null on error,
            times_of_day bigint path '$.timing.repeat.timeOfDay.size()' null on error,
            {{ moment_columns('bounds_start', '$.timing.repeat.boundsPeriod.start') }},
            {{ moment_columns('bounds_end', '$.timing.repeat.boundsPeriod.end') }}
        )
    ) as told on true

),

dispensed as (

    select
        dosed.*,
        supply.*

    from dosed
    left join lateral json_table(dosed.dispense, '$' columns (
        supply numeric path '$.expectedSupplyDuration.value' null on error,
        supply_code text path '$.expectedSupplyDuration.code' null on error,
        supply_unit text path '$.expectedSupplyDuration.unit' null on error,
        quantity numeric path '$.quantity.value' null on error,
        refills numeric path '$.numberOfRepeatsAllowed' null on error,
        {{ moment_columns('valid_start', '$.validityPeriod.start') }}
    )) as supply on true

),

counted as (

    select
        person_key,
        medication_key,
        coalesce(
            {{ utc_day(moment('bounds_start')) }}, {{ utc_day('authored_at') }}, {{ utc_day(moment('valid_start')) }}
        ) as starts_on,
        {{ utc_day(moment('bounds_end')) }} as bounds_end_on,
        coalesce(
            supply * case coalesce(supply_code, supply_unit)
                when 'd' then 1 when 'day' then 1 when 'days' then 1
                when 'wk' then 7 when 'week' then 7 when 'weeks' then 7
                when 'mo' then 30.4375 when 'month' then 30.4375 when 'months' then 30.4375
                when 'a' then 365.25 when 'year' then 365.25 when 'years' then 365.25
                when 'h' then 1.0 / 24 when 'hour' then 1.0 / 24 when 'hours' then 1.0 / 24
            end,
            quantity / nullif(
                coalesce(dose_high, dose)
                * coalesce(
                    coalesce(frequency_max, frequency) / nullif(period * case period_unit
                        when 's' then 1.0 / 86400 when 'min' then 1.0 / 1440 when 'h' then 1.0 / 24 when 'd' then 1
                        when 'wk' then 7 when 'mo' then 30 when 'a' then 365
                    end, 0),
                    times_of_day,
                    1
                ),
                0
            )
        ) * (1 + coalesce(refills, 0)) as days,
        -- Tables tell when a medication ended, not how much was supplied.
        case when dispense is null then {{ utc_day('ended_at') }} end as told_end_on

    from dispensed

)

select
    person_key,
    medication_key,
    starts_on,
    coalesce(starts_on + trunc(days - 1)::integer, bounds_end_on, told_end_on) as ends_on

from counted

where starts_on is not null and coalesce(starts_on + trunc(days - 1)::integer, bounds_end_on, told_end_on) is not null
