-- per cutoff and user; a profile whose purchases are all too old to weigh has no shares
{%- set models = [
    'feature_user_genres', 'feature_user_large_areas',
    'feature_user_prefectures', 'feature_user_small_areas',
] %}

{% for model in models -%}
select
    '{{ model }}' as mart,
    cutoff_date,
    user_id,
    sum(purchase_share) as purchase_shares,
    sum(profile_share) as profile_shares
from {{ ref(model) }}
group by cutoff_date, user_id
having
    abs(sum(purchase_share) - 1) > 1e-9
    or abs(sum(profile_share) - 1) > 1e-9
{% if not loop.last %}
union all
{% endif -%}
{% endfor -%}
