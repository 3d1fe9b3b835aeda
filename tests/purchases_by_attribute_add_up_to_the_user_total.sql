-- the same purchases, counted once per user and once per attribute that is never null
{%- set models = [
    'feature_user_genres', 'feature_user_capsules', 'feature_user_genre_price_bands',
] %}

with totals as (
    {% for model in models -%}
    select
        '{{ model }}' as mart,
        cutoff_date,
        user_id,
        sum(n_purchases) as n_purchases
    from {{ looked_at(ref(model)) }}
    group by cutoff_date, user_id
    {% if not loop.last -%}
    union all
    {% endif -%}
    {% endfor -%}
),

expected as (
    select
        cutoff_date,
        user_id,
        n_user_purchases
    from {{ looked_at(ref('feature_users')) }}
    where n_user_purchases > 0
),

marts_per_user as (
    select
        expected.cutoff_date,
        expected.user_id,
        expected.n_user_purchases,
        count(
            case
                when totals.n_purchases = expected.n_user_purchases then totals.mart
            end
        ) as n_marts_that_agree
    from expected
    left join totals
        on
            expected.cutoff_date = totals.cutoff_date
            and expected.user_id = totals.user_id
    group by
        expected.cutoff_date, expected.user_id, expected.n_user_purchases
)

select * from marts_per_user
where n_marts_that_agree != {{ models | length }}
