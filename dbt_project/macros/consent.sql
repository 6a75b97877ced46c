{#-
    True where a person opted out of a purpose, as of the night. The table is filled before the build by include/privacy/consent.py;
    it is named here and not as a source, so that a model's unit tests need not know of it (it is empty in them).
-#}
{% macro has_opted_out(person_key, purpose) -%}
    exists (
        select 1 from restricted.opted_out
        where opted_out.person_key = {{ person_key }} and opted_out.purpose = '{{ purpose }}'
    )
{%- endmacro %}
