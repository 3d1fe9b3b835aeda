-- grain: one row per cutoff in use
with known as (
    select
        cutoffs.cutoff_date,
        sum(weeks.hash_sum) as hash_sum
    from {{ ref('cutoffs') }} as cutoffs
    inner join {{ ref('int_week_inputs') }} as weeks
        on cutoffs.cutoff_date >= weeks.week_start_date
    group by cutoffs.cutoff_date
),

places as (
    select * from {{ ref('int_prefecture_distances') }}
),

distances as (
    select {{ sum_of_row_hashes('places') }} as hash_sum
    from places
),

cutoff_inputs as (
    select
        known.cutoff_date,
        {{ dbt.hash(dbt.concat([
            'files.project_fingerprint', "','",
            dbt.string_literal(variables_of_this_build()), "','",
            'cast(files.has_visit_log as ' ~ dbt.type_string() ~ ')', "','",
            'cast(cutoffs.is_labelled as ' ~ dbt.type_string() ~ ')', "','",
            'cast(distances.hash_sum as ' ~ dbt.type_string() ~ ')', "','",
            'cast(known.hash_sum as ' ~ dbt.type_string() ~ ')',
        ])) }} as input_fingerprint
    from known
    inner join {{ ref('cutoffs') }} as cutoffs
        on known.cutoff_date = cutoffs.cutoff_date
    cross join {{ ref('data_fingerprint') }} as files
    cross join distances
)

select * from cutoff_inputs
