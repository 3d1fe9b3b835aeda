-- what popularity is made from: no sale of the target week, nothing after the cutoff
select
    sales.cutoff_date,
    sales.coupon_id,
    sales.seconds_on_sale
from {{ ref('int_coupon_sales_before_cutoff') }} as sales
left join {{ ref('int_candidate_coupons') }} as candidates
    on
        sales.cutoff_date = candidates.cutoff_date
        and sales.coupon_id = candidates.coupon_id
where
    candidates.coupon_id is not null
    or sales.sale_start_at >= cast(sales.cutoff_date as {{ sql_type('timestamp') }})
    or sales.seconds_on_sale > {{ epoch_seconds(
        'cast(sales.cutoff_date as ' ~ sql_type('timestamp') ~ ')'
    ) }} - {{ epoch_seconds('sales.sale_start_at') }}
