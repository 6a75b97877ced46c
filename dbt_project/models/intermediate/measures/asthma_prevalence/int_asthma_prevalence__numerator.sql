{{ config(materialized='ephemeral') }}
{#- Of the initial population, those with a diagnosis of asthma that was not over before the period began. -#}
{{ diagnosed_in_period('asthma_prevalence', 'asthma') }}
