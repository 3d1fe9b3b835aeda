-- grain: one row per cutoff, kind of group and group with an earlier sale
with sales as (
    select * from {{ ref('int_coupon_sales_before_cutoff') }}
),

grouped as (
    {% for group in sale_groups('sales') -%}
    select
        '{{ group.name }}' as group_kind,
        {{ group.key }} as group_key,
        sales.*
    from sales
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
),

sales_records as (
    select
        cutoff_date,
        group_kind,
        group_key,
        count(*) as n_issues,
        count(case when is_still_on_sale then 1 end) as n_issues_on_sale,
        max(sale_start_at) as last_sale_start_at,
        -- of the latest issue of a shop; several may have started at once
        sum(case when is_last_shop_issue then n_buyers end) as n_last_buyers,
        sum(case when is_last_shop_issue then seconds_on_sale end)
            as last_seconds_on_sale,
        sum(seconds_on_sale) as seconds_on_sale,
        sum(seconds_on_sale_28d) as seconds_on_sale_28d,
        sum(n_buyers) as n_buyers,
        sum(n_buyers_28d) as n_buyers_28d,
        sum(n_viewers) as n_viewers,
        sum(n_viewers_28d) as n_viewers_28d,
        sum(n_viewers_and_buyers) as n_viewers_and_buyers,
        sum(n_purchases) as n_purchases,
        sum(n_first_purchases) as n_first_purchases
    from grouped
    group by cutoff_date, group_kind, group_key
)

select * from sales_records
