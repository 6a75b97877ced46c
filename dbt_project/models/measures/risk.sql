with

persons as (

    select person_key, birth_date, death_date from {{ ref('int_persons__resolved') }}

),

comorbidities as (

    select * from {{ ref('int_measures__comorbidities') }}

),

-- A milder form is not counted beside the graver one.
counted as (

    select
        comorbidities.person_key,
        comorbidities.comorbidity_index,
        comorbidities.category,
        weights.weight

    from comorbidities
    inner join {{ ref('comorbidity_weights') }} as weights using (comorbidity_index, category)
    left join comorbidities as graver
        on graver.person_key = comorbidities.person_key
        and graver.comorbidity_index = comorbidities.comorbidity_index
        and graver.category = weights.not_counted_beside

    where graver.person_key is null

),

summed as (

    select
        person_key,
        sum(weight) filter (where comorbidity_index = 'charlson') as charlson_score,
        sum(weight) filter (where comorbidity_index = 'elixhauser') as elixhauser_score,
        count(*) filter (where comorbidity_index = 'elixhauser') as elixhauser_comorbidities,
        string_agg(category, '; ' order by category) filter (where comorbidity_index = 'charlson') as charlson_comorbidities

    from counted

    group by 1

),

aged as (

    select
        person_key,
        {{ age_in_years('birth_date', 'least(' ~ night() ~ ', death_date)') }} as age

    from persons

)

select
    aged.person_key,
    coalesce(summed.charlson_score, 0)::integer as charlson_score,
    case when aged.age is not null then coalesce(summed.charlson_score, 0)::integer + greatest(0, least(4, (aged.age - 40) / 10)) end
        as charlson_score_with_age,
    coalesce(summed.elixhauser_comorbidities, 0)::integer as elixhauser_comorbidities,
    coalesce(summed.elixhauser_score, 0)::integer as elixhauser_score,
    summed.charlson_comorbidities,
    case
        when coalesce(summed.charlson_score, 0) = 0 then 'none'
        when summed.charlson_score <= 2 then 'low'
        when summed.charlson_score <= 4 then 'moderate'
        else 'high'
    end as risk_stratum

from aged
left join summed using (person_key)
