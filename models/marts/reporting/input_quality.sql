-- grain: one row per file and kind of finding
{%- set kept = [
    ('user_list', 'contradiction', ref('dim_users'), 'contradiction is not null'),
    (
        'coupon_list_train', 'contradiction', ref('dim_coupons'),
        'contradiction is not null and not is_test_list',
    ),
    (
        'coupon_list_test', 'contradiction', ref('dim_coupons'),
        'contradiction is not null and is_test_list',
    ),
    (
        'coupon_detail_train', "'user in no list'", ref('fct_purchases'),
        'not is_listed_user',
    ),
    (
        'coupon_detail_train', "'coupon in no list'", ref('fct_purchases'),
        'not is_listed_coupon',
    ),
    (
        'coupon_detail_train', "'purchase outside the sale'", ref('fct_purchases'),
        'not is_within_sale',
    ),
    ('coupon_visit_train', "'user in no list'", ref('fct_visits'), 'not is_listed_user'),
    (
        'coupon_visit_train', "'coupon in no list'", ref('fct_visits'),
        'not is_listed_coupon',
    ),
    (
        'coupon_visit_train', "'view before the sale'", ref('fct_visits'),
        'is_before_sale',
    ),
] %}

with refused as (
    {% for _, rows_name in input_files() -%}
    select
        file_name,
        rejected_because as finding,
        file_line
    from {{ ref('quarantined_' ~ rows_name) }}
    {% if not loop.last -%}
    union all
    {% endif -%}
    {% endfor -%}
),

repeated_views as (
    select count(*) as n_views
    from {{ ref('fct_visits') }}
    group by
        user_id, coupon_id, session_id, purchase_hash, page_serial, is_purchase,
        visited_at
    having count(*) > 1
),

findings as (
    select
        file_name,
        finding,
        'quarantined' as treatment,
        count(*) as n_rows,
        min(file_line) as first_line
    from refused
    group by file_name, finding
    {% for file_name, finding, relation, condition in kept -%}
    union all
    select
        '{{ file_name }}' as file_name,
        {{ finding }} as finding,
        'kept and flagged' as treatment,
        count(*) as n_rows,
        null as first_line
    from {{ relation }}
    where {{ condition }}
    {{ 'group by contradiction' if finding == 'contradiction'
        else 'having count(*) > 0' }}
    {% endfor -%}
    union all
    select
        'coupon_visit_train' as file_name,
        'copy of an earlier row' as finding,
        'kept' as treatment,
        sum(n_views - 1) as n_rows,
        null as first_line
    from repeated_views
    having count(*) > 0
),

findings_with_share as (
    select
        findings.file_name,
        findings.finding,
        findings.treatment,
        cast(findings.n_rows as bigint) as n_rows,
        findings.n_rows
        / cast(files.n_rows_read as {{ sql_type('double') }}) as row_share,
        cast(findings.first_line as bigint) as first_line
    from findings
    inner join {{ ref('input_files') }} as files
        on findings.file_name = files.file_name
)

select * from findings_with_share
