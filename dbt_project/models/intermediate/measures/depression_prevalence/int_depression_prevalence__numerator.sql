{{ config(materialized='ephemeral') }}
{#- Of the initial population, those with a diagnosis of depression that was not over before the period began. -#}
{{ diagnosed_in_period('depression_prevalence', 'depression') }}
