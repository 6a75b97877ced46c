{#- Procedures of the value sets that were completed (CQL: Status.isProcedurePerformed, isInterventionPerformed). -#}
with

procedures as (

    select
        procedures.*,
        persons.birth_date

    from {{ ref('int_procedures__current') }} as procedures
    inner join {{ ref('int_persons__resolved') }} as persons using (person_key)

    where coalesce(procedures.status, 'completed') = 'completed'

),

codings as (

    {{ every_coding('procedures', ['procedure_key']) }}

),

named as (

    select distinct codes.value_set, codings.procedure_key
    from codings
    inner join {{ ref('int_ecqm__codes') }} as codes
        on codes.code = codings.code and codes.system = {{ code_system('codings.system') }}

),

placed as (

    select
        named.value_set,
        procedures.procedure_key,
        procedures.person_key,
        coalesce(procedures.begins_from, (procedures.birth_date + procedures.performed_age_from)::timestamp at time zone 'UTC') as begins_from,
        coalesce(
            procedures.begins_to,
            (procedures.birth_date + procedures.performed_age_from + interval '1 day' - interval '1 millisecond')::timestamp at time zone 'UTC'
        ) as begins_to,
        coalesce(
            procedures.ends_from,
            (procedures.birth_date + procedures.performed_age_to + interval '1 year' - interval '1 day')::timestamp at time zone 'UTC'
        ) as ends_from,
        coalesce(
            procedures.ends_to,
            (procedures.birth_date + procedures.performed_age_to + interval '1 year' - interval '1 millisecond')::timestamp at time zone 'UTC'
        ) as ends_to

    from named
    inner join procedures using (procedure_key)

)

select * from placed where begins_from is not null
