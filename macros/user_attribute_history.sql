{# A user's purchases before each cutoff by one attribute of the coupon. Counts, their
   share of all the user's purchases, and the share with older purchases decayed. #}
{% macro user_attribute_history(attribute) -%}
with history as (
    select
        cutoff_date,
        user_id,
        {{ attribute }},
        count(*) as n_purchases,
        sum(decayed_weight) as decayed_weight
    from {{ ref('int_purchases_before_cutoff') }}
    group by cutoff_date, user_id, {{ attribute }}
),

totals as (
    select
        *,
        sum(n_purchases) over (partition by cutoff_date, user_id)
            as n_user_purchases,
        sum(decayed_weight) over (partition by cutoff_date, user_id)
            as user_weight
    from history
),

user_attributes as (
    select
        cutoff_date,
        user_id,
        {{ attribute }},
        cast(n_purchases as integer) as n_purchases,
        n_purchases / cast(n_user_purchases as double) as purchase_share,
        decayed_weight / cast(nullif(user_weight, 0) as double) as profile_share
    from totals
)

select * from user_attributes
{%- endmacro %}
