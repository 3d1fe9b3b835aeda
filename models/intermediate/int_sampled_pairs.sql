-- grain: one row per labelled cutoff, user and coupon chosen for training

with cutoffs as (
    select * from {{ ref('int_cutoffs_to_build') }}
    where is_labelled
),

positive_pairs as (
    select * from {{ ref('int_positive_pairs') }}
),

positives_per_user as (
    select
        cutoff_date,
        user_id,
        count(*) as n_positives
    from positive_pairs
    group by cutoff_date, user_id
),

-- how likely one negative of the user is to be chosen
users as (
    select
        users.cutoff_date,
        users.user_id,
        users.user_seed,
        coalesce(buyers.n_positives, 0) > 0 as is_buyer,
        least(
            1.0,
            case when buyers.n_positives > 0
                    then {{ var('negatives_per_buyer') }}
                else {{ var('negatives_per_non_buyer') }}
            end / cast(greatest(
                cutoffs.n_coupons - coalesce(buyers.n_positives, 0), 1
            ) as {{ sql_type('double') }})
        ) as inclusion_probability
    from {{ ref('int_candidate_users') }} as users
    inner join cutoffs on users.cutoff_date = cutoffs.cutoff_date
    left join positives_per_user as buyers
        on
            users.cutoff_date = buyers.cutoff_date
            and users.user_id = buyers.user_id
),

chosen as (
    select
        users.cutoff_date,
        users.user_id,
        coupons.coupon_id,
        users.is_buyer,
        users.inclusion_probability
    from users
    inner join {{ ref('int_candidate_coupons') }} as coupons
        on users.cutoff_date = coupons.cutoff_date
    where
        {{ is_drawn(
            'users.user_seed', 'coupons.coupon_seed', 'users.inclusion_probability'
        ) }}
),

negatives as (
    select chosen.*
    from chosen
    left join positive_pairs as bought
        on
            chosen.cutoff_date = bought.cutoff_date
            and chosen.user_id = bought.user_id
            and chosen.coupon_id = bought.coupon_id
    where bought.coupon_id is null
),

labelled as (
    select
        cutoff_date,
        user_id,
        coupon_id,
        true as label,
        true as is_buyer,
        cast(1 as {{ sql_type('double') }}) as weight
    from positive_pairs
    union all
    select
        cutoff_date,
        user_id,
        coupon_id,
        false as label,
        is_buyer,
        1 / inclusion_probability as weight
    from negatives
),

sampled_pairs as (
    select
        labelled.*,
        case
            when files.has_visit_log
                then labelled.label or weeks.n_views is not null
        end as is_viewed
    from labelled
    cross join {{ ref('data_fingerprint') }} as files
    left join {{ ref('int_user_coupon_weeks') }} as weeks
        on
            labelled.cutoff_date = weeks.week_start_date
            and labelled.user_id = weeks.user_id
            and labelled.coupon_id = weeks.coupon_id
            and weeks.n_views > 0
)

select * from sampled_pairs
