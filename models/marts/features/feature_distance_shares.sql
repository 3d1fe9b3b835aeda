-- grain: one row per cutoff and distance band
with distances as (
    select * from {{ ref('int_prefecture_distances') }}
),

history as (
    select
        places.cutoff_date,
        distances.distance_bin,
        sum(weeks.n_purchases) as n_purchases,
        sum(weeks.n_views) as n_views
    from {{ ref('feature_user_places') }} as places
    inner join {{ ref('int_cutoffs_to_build') }} as cutoffs
        on places.cutoff_date = cutoffs.cutoff_date
    inner join {{ ref('int_user_prefecture_weeks') }} as weeks
        on
            places.user_id = weeks.user_id
            and places.cutoff_date >= weeks.known_from_date
    inner join distances
        on
            places.working_prefecture = distances.user_prefecture
            and weeks.prefecture = distances.coupon_prefecture
    group by places.cutoff_date, distances.distance_bin
),

bins as (
    select distinct distance_bin from distances
),

-- every band at every cutoff, so that the shares add up to 1
shares as (
    select
        cutoffs.cutoff_date,
        bins.distance_bin,
        {% for event in ['purchase', 'view'] -%}
        coalesce(history.n_{{ event }}s, 0)
        / cast(nullif(sum(history.n_{{ event }}s) over (
            partition by cutoffs.cutoff_date
        ), 0) as {{ sql_type('double') }}) as everybodys_{{ event }}_share
        {%- if not loop.last %},
        {% endif %}
        {%- endfor %}
    from {{ ref('int_cutoffs_to_build') }} as cutoffs
    cross join bins
    left join history
        on
            cutoffs.cutoff_date = history.cutoff_date
            and bins.distance_bin = history.distance_bin
)

select * from shares
