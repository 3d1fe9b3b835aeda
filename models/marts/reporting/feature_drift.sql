-- grain: one row per cutoff and feature that has earlier weeks to compare with
with histograms as (
    select
        cutoff_date,
        feature,
        feature_group,
        -- one key for numbered bins, values and nulls
        coalesce(cast(bin as {{ dbt.type_string() }}), '') as bin,
        value is null and bin is null as is_null,
        coalesce(value, '') as value,
        n_pairs,
        n_units
    from {{ ref('feature_histograms') }}
),

totals as (
    select
        cutoff_date,
        feature,
        feature_group,
        sum(n_pairs) as n_pairs,
        max(n_units) as n_units
    from histograms
    group by cutoff_date, feature, feature_group
),

weeks as (
    select
        cutoff_date,
        row_number() over (order by cutoff_date) as week_number
    from {{ ref('cutoffs') }}
),

compared as (
    select
        weeks.cutoff_date,
        earlier.cutoff_date as earlier_date,
        weeks.cutoff_date = earlier.cutoff_date as is_current
    from weeks
    inner join weeks as earlier
        on
            weeks.week_number >= earlier.week_number
            and weeks.week_number - {{ var('drift_bin_weeks') }}
            <= earlier.week_number
    where weeks.week_number > {{ var('drift_bin_weeks') }}
),

sizes as (
    select
        compared.cutoff_date,
        totals.feature,
        totals.feature_group,
        sum(case when compared.is_current then totals.n_pairs end) as n_pairs,
        sum(case when not compared.is_current then totals.n_pairs end)
            as n_earlier_pairs,
        sum(case when compared.is_current then totals.n_units end) as n_units,
        -- the same users come back every week
        max(case when not compared.is_current then totals.n_units end)
            as n_earlier_units
    from compared
    inner join totals
        on compared.earlier_date = totals.cutoff_date
    group by compared.cutoff_date, totals.feature, totals.feature_group
),

binned as (
    select
        compared.cutoff_date,
        histograms.feature,
        histograms.bin,
        histograms.value,
        histograms.is_null,
        coalesce(
            sum(case when compared.is_current then histograms.n_pairs end), 0
        ) as n_pairs,
        coalesce(
            sum(case when not compared.is_current then histograms.n_pairs end), 0
        ) as n_earlier_pairs
    from compared
    inner join histograms
        on compared.earlier_date = histograms.cutoff_date
    group by
        compared.cutoff_date,
        histograms.feature,
        histograms.bin,
        histograms.value,
        histograms.is_null
),

shares as (
    select
        binned.cutoff_date,
        binned.feature,
        sizes.feature_group,
        sizes.n_units,
        sizes.n_earlier_units,
        -- half a pair in an empty bin: a share of 0 has no logarithm
        (binned.n_pairs + cast(0.5 as {{ sql_type('double') }}))
        / sizes.n_pairs as current_share,
        (binned.n_earlier_pairs + cast(0.5 as {{ sql_type('double') }}))
        / sizes.n_earlier_pairs as earlier_share
    from binned
    inner join sizes
        on
            binned.cutoff_date = sizes.cutoff_date
            and binned.feature = sizes.feature
    where sizes.n_pairs > 0 and sizes.n_earlier_pairs > 0
),

distances as (
    select
        cutoff_date,
        feature,
        feature_group,
        count(*) as n_bins,
        cast(9 * (count(*) - 1) as {{ sql_type('double') }}) as ninefold_degrees,
        round(
            sum(
                (current_share - earlier_share)
                * ln(current_share / earlier_share)
            ),
            9
        ) as psi,
        round(
            sum(
                power(current_share - earlier_share, 2) * n_units * n_earlier_units
                / (current_share * n_units + earlier_share * n_earlier_units)
            ),
            9
        ) as chi_square
    from shares
    group by cutoff_date, feature, feature_group
),

feature_drift as (
    select
        cutoff_date,
        feature,
        feature_group,
        cast(n_bins as integer) as n_bins,
        cast(psi as {{ sql_type('double') }}) as psi,
        cast(
            max(psi) over (
                partition by feature
                order by cutoff_date
                rows between unbounded preceding and 1 preceding
            ) as {{ sql_type('double') }}
        ) as greatest_earlier_psi,
        cast(chi_square as {{ sql_type('double') }}) as chi_square,
        cast(n_bins - 1 as integer) as degrees_of_freedom,
        -- Wilson and Hilferty: the cube root of chi-square is nearly normal
        cast(
            case
                when n_bins > 1
                    then
                        (
                            power(
                                chi_square / (n_bins - 1),
                                1 / cast(3 as {{ sql_type('double') }})
                            ) - (1 - 2 / ninefold_degrees)
                        )
                        / sqrt(2 / ninefold_degrees)
            end as {{ sql_type('double') }}
        ) as test_z
    from distances
)

select * from feature_drift
