with

parsed as (

    select
        {{ record_columns() }},
        resource.resource_id::uuid as resource_id,
        json.*

    from {{ source('raw', 'resource') }} as resource
    left join lateral json_table(resource.body, '$' columns (
        status text path '$.status' null on error,
        encounter_reference text path '$.encounter.reference' null on error,
        modality text path '$.modality[0].code' null on error,
        series_modality text path '$.series[0].modality.code' null on error,
        body_site_system text path '$.series[0].bodySite.system' null on error,
        body_site_code text path '$.series[0].bodySite.code' null on error,
        body_site_display text path '$.series[0].bodySite.display' null on error,
        series_count integer path '$.numberOfSeries' null on error,
        instance_count integer path '$.numberOfInstances' null on error,
        study_uid text path '$.identifier[*] ? (@.system == "urn:dicom:uid").value' null on error,
        series_uid text path '$.series[0].uid' null on error,
        burned_in_risk text path '$.extension[*] ? (@.url == "urn:plumbline:dicom:burned-in-annotation").valueCode' null on error,
        {{ concept_columns('procedure', '$.procedureCode[0]') }},
        {{ moment_columns('started', '$.started') }}
    )) as json on true

    where
        resource.resource_type = 'ImagingStudy'
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
        -- kind dicom brings a study instance by instance; the study's id is made of the token of its UID
        case
            when burned_in_risk is not null then md5(source || '|' || study_uid)::uuid
            else resource_id
        end as imaging_study_id,
        resource_id as part_id,
        burned_in_risk is not null as is_instance,
        {{ reference_token('study_uid') }} as study_uid_token,
        {{ reference_token('series_uid') }} as series_uid_token,
        burned_in_risk,
        {{ reference_token('encounter_reference') }} as encounter_id,
        status,
        coalesce(modality, series_modality) as modality_code,
        body_site_system,
        body_site_code,
        body_site_display,
        {{ concept('procedure', 'system', 'http://loinc.org') }} as procedure_system,
        {{ concept('procedure', 'code', 'http://loinc.org') }} as procedure_code,
        {{ concept('procedure', 'display', 'http://loinc.org') }} as procedure_display,
        series_count,
        instance_count,
        {{ moment('started') }} as started_at

    from parsed

)

select * from typed
