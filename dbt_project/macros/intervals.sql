{#- Intervals at 95%. 1.959963984540054 is the 97.5% point of the normal distribution. -#}
{% macro z_95() -%}1.959963984540054{%- endmacro %}

{#- Wilson's score limits for a proportion (Wilson 1927). Null where the denominator is zero. -#}
{% macro wilson_limit(numerator, denominator, side) -%}
    {%- set sign = '-' if side == 'lower' else '+' -%}
    {%- set bound = 'greatest(0::double precision, ' if side == 'lower' else 'least(1::double precision, ' -%}
    {{ bound }}(
        ({{ numerator }}::double precision + {{ z_95() }} ^ 2 / 2)
        {{ sign }} {{ z_95() }} * sqrt(
            {{ numerator }}::double precision * ({{ denominator }} - {{ numerator }})::double precision
            / nullif({{ denominator }}, 0)::double precision + {{ z_95() }} ^ 2 / 4
        )
    ) / nullif({{ denominator }} + {{ z_95() }} ^ 2, {{ z_95() }} ^ 2)::double precision)
{%- endmacro %}
