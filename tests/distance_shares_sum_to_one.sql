-- With every distance band present, the shares of a user at a cutoff add up to 1.
select
    cutoff_date,
    user_id,
    sum(distance_purchase_share) as purchase_share,
    sum(distance_view_share) as view_share
from {{ ref('feature_user_distances') }}
group by cutoff_date, user_id
having
    abs(sum(distance_purchase_share) - 1) > 1e-9
    or abs(sum(distance_view_share) - 1) > 1e-9
