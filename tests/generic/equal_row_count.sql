{# The model has as many rows as the one it was made from: nothing lost, nothing
   doubled. #}
{% test equal_row_count(model, compare_model) %}
    with counts as (
        select
            (select count(*) from {{ of_cutoffs_to_build(model) }}) as n_rows,
            (select count(*) from {{ of_cutoffs_to_build(compare_model) }})
                as n_rows_compared
    )

    select * from counts
    where n_rows != n_rows_compared
{% endtest %}
