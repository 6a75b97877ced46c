{#-
    Numbers that a policy sets (include/policies/disclosure.yml, equity.yml). The nightly build passes them as variables;
    these are the same numbers for whoever runs dbt alone. tests/unit/test_equity_policy.py holds the two together.
-#}
{% macro policy(name) -%}
    {%- set given = {
        'disclosure_minimum_cell': 11,
        'disclosure_round_open_periods_to': 5,
        'disclosure_protection_interval': 5,
        'disclosure_closes_after_days': 90,
        'disclosure_edition': 2,
        'equity_minimum_people': 30,
        'equity_reference_rule': 'largest',
        'equity_reference_groups': {},
        'equity_weak_evidence_errors': 5,
        'equity_pairs': [['race_ethnicity', 'sex'], ['race_ethnicity', 'payer'], ['sex', 'disability']],
        'equity_pair_periods': 2,
        'measure_years': 12,
    } -%}
    {%- if name not in given -%}
        {{ exceptions.raise_compiler_error("policy has no number called " ~ name ~ "; add it to include/policies and macros/policy.sql") }}
    {%- endif -%}
    {{ return(var(name, given[name])) }}
{%- endmacro %}

{#- The calendar year the measures look at: the variable, else the year of the night. -#}
{% macro measurement_year() -%}
    {{ return((var('measurement_year', '') or (night_of_build() | string)[:4]) | int) }}
{%- endmacro %}
