{#-
    Orders of services and devices of the value sets, active or completed and not orders to leave something undone (CQL:
    Status.isInterventionOrder, isDeviceOrderPersonalUseDevices).
-#}
with

requests as (

    select * from {{ ref('int_requests__current') }}

    where
        status in ('active', 'completed')
        and intent in ('order', 'original-order', 'reflex-order', 'filler-order', 'instance-order')
        and not is_negated

),

codings as (

    {{ every_coding('requests', ['request_id']) }}

),

named as (

    select distinct codes.value_set, codings.request_id
    from codings
    inner join {{ ref('int_ecqm__codes') }} as codes
        on codes.code = codings.code and codes.system = {{ code_system('codings.system') }}

)

select
    named.value_set,
    requests.kind,
    requests.person_key,
    requests.begins_from,
    requests.begins_to,
    requests.ends_from,
    requests.ends_to

from named
inner join requests using (request_id)

where requests.begins_from is not null
