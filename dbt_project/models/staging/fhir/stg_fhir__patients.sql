with

parsed as (

    select
        {{ record_columns() }},
        resource.resource_id::uuid as patient_id,
        json.*

    from {{ source('raw', 'resource') }} as resource
    left join lateral json_table(resource.body, '$' columns (
        {{ moment_columns('birth', '$.birthDate') }},
        {{ moment_columns('death', '$.deceasedDateTime') }},
        deceased boolean path '$.deceasedBoolean' null on error,
        gender text path '$.gender' null on error,
        recorded_sex text path '$.extension[*] ? (@.url like_regex "us-core-sex$").valueCode' null on error,
        birth_sexes jsonb path '$.extension[*] ? (@.url like_regex "(birthsex|us-core-sex)$").*' with wrapper null on error,
        gender_identities jsonb path '$.extension[*] ? (@.url like_regex "gender-?identity$" flag "i")' with wrapper null on error,
        races jsonb path '$.extension[*] ? (@.url like_regex "us-core-race$").extension[*] ? (@.url == "ombCategory" || @.url == "detailed").valueCoding.code' with wrapper null on error,
        ethnicities jsonb path '$.extension[*] ? (@.url like_regex "us-core-ethnicity$").extension[*] ? (@.url == "ombCategory" || @.url == "detailed").valueCoding.code' with wrapper null on error,
        preferred_languages jsonb path '$.communication[*] ? (@.preferred == true).language.coding[0].code' with wrapper null on error,
        first_language text path '$.communication[0].language.coding[0].code' null on error,
        postal_codes jsonb path '$.address[*] ? (!(@.use == "old" || @.use == "temp" || @.use == "billing")).postalCode' with wrapper null on error,
        states jsonb path '$.address[*] ? (!(@.use == "old" || @.use == "temp" || @.use == "billing")).state' with wrapper null on error,
        countries jsonb path '$.address[*] ? (!(@.use == "old" || @.use == "temp" || @.use == "billing")).country' with wrapper null on error
    )) as json on true

    where
        resource.resource_type = 'Patient'
        and {{ newer_batches('resource.batch_seq') }}

),

typed as (

    select
        record_id,
        source,
        batch_seq,
        is_deleted,
        person_token,
        version_id,
        last_updated,
        received_at,
        patient_id,
        ({{ moment('birth') }} at time zone 'UTC')::date as birth_date,
        case {{ moment_precision('birth') }} when 'time' then 'day' else {{ moment_precision('birth') }} end as birth_date_precision,
        ({{ moment('death') }} at time zone 'UTC')::date as death_date,
        coalesce(deceased, death_text is not null) as is_deceased,
        coalesce(
            -- Told and not one of the known codes stays told: it is then 'unknown', not what another element says.
            recorded_sex,
            jsonb_path_query_first(birth_sexes, '$[*] ? (@ == "F" || @ == "M" || @ == "248152002" || @ == "248153007")') #>> '{}',
            gender
        ) as sex,
        coalesce(
            jsonb_path_query_first(gender_identities, '$[*].**.coding[0].code') #>> '{}',
            jsonb_path_query_first(gender_identities, '$[*].**.valueCode') #>> '{}'
        ) as gender_identity,
        (select string_agg(code, ';' order by code) from jsonb_array_elements_text(races) as code) as race,
        (select string_agg(code, ';' order by code) from jsonb_array_elements_text(ethnicities) as code) as ethnicity,
        coalesce(preferred_languages ->> 0, first_language) as language,
        null::text as payer,
        postal_codes ->> 0 as postal_code,
        states ->> 0 as state,
        countries ->> 0 as country,
        null::numeric as age_years

    from parsed

)

select * from typed
