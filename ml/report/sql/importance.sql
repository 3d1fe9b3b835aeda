-- grain: one row per input, the 15 strongest of each model that shows some
with latest as (
    select run_id
    from reporting.latest_training_runs
    order by cutoff_date desc
    limit 1
),

inputs as (
    select
        coefficients.model_name,
        coefficients.input as input_name,
        coefficients.coefficient,
        contract.feature_group
    from ml.model_coefficients as coefficients
    inner join latest
        on coefficients.run_id = latest.run_id
    left join ml.column_roles as contract
        on
            contract.mart_name = 'training_pairs'
            and contract.column_name = coefficients.input
    where
        coefficients.genre = 'all'
        -- what a blend shows are the weights of its members
        and coefficients.model_name != 'blend'
)

select *
from inputs
qualify
    row_number() over (
        partition by model_name order by abs(coefficient) desc, input_name asc
    ) <= 15
order by model_name asc, abs(coefficient) desc, input_name asc
