select * from {{ ref('int_encounters__matched') }}

where is_surviving
