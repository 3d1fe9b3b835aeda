{# Running sums over changes: for all cutoffs of a build at once, what each change adds is
   summed up to the next one, and holds in between. #}

{# The first and the last cutoff that this build computes, as a query of one row. #}
{% macro span_of_cutoffs_to_build() -%}
select
        min(cutoff_date) as first_cutoff_date,
        max(cutoff_date) as last_cutoff_date
    from {{ ref('int_cutoffs_to_build') }}
{%- endmacro %}

{# Condition that a running sum, from its `from_date` to before its `until_date`, holds at
   the `cutoff_date` of another relation. #}
{% macro holds_at_cutoff(running, cutoffs) -%}
{{ running }}.from_date <= {{ cutoffs }}.cutoff_date
            and (
                {{ running }}.until_date is null
                or {{ cutoffs }}.cutoff_date < {{ running }}.until_date
            )
{%- endmacro %}
