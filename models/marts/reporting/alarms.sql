-- grain: one row per cutoff, alarm and subject
with weeks as (
    select
        cutoff_date,
        row_number() over (order by cutoff_date) as week_number
    from {{ ref('cutoffs') }}
),

null_shares as (
    select
        cutoff_date,
        feature,
        null_share,
        avg(null_share) over (
            partition by feature
            order by cutoff_date
            rows between {{ var('drift_bin_weeks') }} preceding and 1 preceding
        ) as usual_share,
        row_number() over (partition by feature order by cutoff_date) as nth
    from {{ ref('feature_profile') }}
),

figures as (
    -- the days of the week that ends with the cutoff
    select
        weeks.cutoff_date,
        'input_volume' as alarm,
        concat(
            volumes.source_name,
            ' on ',
            cast(volumes.event_date as {{ dbt.type_string() }})
        )
            as subject,
        volumes.n_rows / volumes.usual_rows as figure,
        {{ count_deviation('volumes.n_rows', 'volumes.usual_rows') }} as evidence,
        cast(null as {{ sql_type('double') }}) as growth
    from {{ ref('input_volumes') }} as volumes
    inner join weeks
        on
            volumes.event_date < weeks.cutoff_date
            and volumes.event_date
            >= cast({{ dbt.dateadd('day', -7, 'weeks.cutoff_date') }} as date)
    where volumes.n_earlier_days = 8 and volumes.usual_rows > 0
    union all
    select
        cutoff_date,
        'null_share' as alarm,
        feature as subject,
        null_share - usual_share as figure,
        null as evidence,
        null as growth
    from null_shares
    where nth > {{ var('drift_bin_weeks') }}
    union all
    select
        cutoff_date,
        'feature_drift' as alarm,
        feature as subject,
        psi as figure,
        test_z as evidence,
        psi / nullif(greatest_earlier_psi, 0) as growth
    from {{ ref('feature_drift') }}
    where greatest_earlier_psi is not null
    union all
    select
        cutoff_date,
        'score_level' as alarm,
        'mean score in the lists' as subject,
        mean_score / nullif(earlier_mean_score, 0) as figure,
        null as evidence,
        null as growth
    from {{ ref('list_coverage') }}
    union all
    select
        cutoff_date,
        'calibration' as alarm,
        concat(slice, ' ', slice_value) as subject,
        calibration_ratio as figure,
        {{ count_deviation('n_hits', 'expected_hits') }} as evidence,
        null as growth
    from {{ ref('list_results') }}
    where calibration_ratio is not null
    union all
    select
        cutoff_date,
        'concentration' as alarm,
        'coupons in the lists' as subject,
        gini as figure,
        null as evidence,
        null as growth
    from {{ ref('list_coverage') }}
),

raised as (
    select
        figures.cutoff_date,
        figures.alarm,
        figures.subject,
        figures.figure,
        thresholds.low_limit,
        thresholds.high_limit,
        thresholds.what_to_do,
        -- weeks in a row have the same difference
        weeks.week_number - row_number() over (
            partition by figures.alarm, figures.subject
            order by figures.cutoff_date
        ) as streak
    from figures
    inner join {{ ref('monitor_thresholds') }} as thresholds
        on figures.alarm = thresholds.alarm
    inner join weeks
        on figures.cutoff_date = weeks.cutoff_date
    where
        (
            thresholds.least_evidence is null
            or figures.evidence >= thresholds.least_evidence
        )
        -- without a growth it was never seen before
        and (
            thresholds.least_growth is null
            or figures.growth is null
            or figures.growth >= thresholds.least_growth
        )
        and (
            figures.figure < thresholds.low_limit
            or figures.figure > thresholds.high_limit
        )
),

alarms as (
    select
        cutoff_date,
        alarm,
        subject,
        min(cutoff_date) over (partition by alarm, subject, streak) as since_date,
        cast(figure as {{ sql_type('double') }}) as figure,
        low_limit,
        high_limit,
        what_to_do
    from raised
)

select * from alarms
