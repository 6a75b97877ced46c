{{ config(materialized='ephemeral') }}
{#- Of the initial population, those with a diagnosis of hypertension that was not over before the period began. -#}
{{ diagnosed_in_period('hypertension_prevalence', 'hypertension') }}
