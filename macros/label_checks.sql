{# What reporting.label_audit looks for among the purchases of the target weeks, and what
   the label makes of it. Conditions are columns of its CTE `purchases_of_weeks`. #}

{# The checks in the order in which they are shown: name, condition, treatment. #}
{% macro label_checks() -%}
{{ return([
    ('any_purchase', 'true', 'all that the label can come from'),
    (
        'coupon_not_released_this_week', 'coupon_id is not null and not is_release_week',
        'label 0 stays: the target week of the coupon is another one',
    ),
    (
        'coupon_released_in_a_later_week', 'is_too_early',
        'label 0 stays: the coupon was no candidate yet',
    ),
    ('coupon_in_no_list', 'coupon_id is null', 'no pair: the coupon is no candidate'),
    ('user_in_no_list', 'user_id is null', 'no pair: the user is no candidate'),
    (
        'user_registered_since_the_cutoff', 'is_new_user',
        'no pair: the user is no candidate before the next cutoff',
    ),
    (
        'before_registration', 'is_before_registration',
        'no pair: the user is no candidate yet',
    ),
    ('after_withdrawal', 'is_after_withdrawal', 'counts as any other'),
    ('before_sale_start', 'is_before_sale', 'counts as any other'),
    ('after_sale_end', 'is_after_sale', 'counts as any other'),
    (
        'again_in_the_same_week', 'is_again_same_week',
        'the pair counts once, whichever purchase came first',
    ),
    (
        'again_in_a_later_week', 'is_again_later_week',
        'counts in the release week of the coupon only',
    ),
    (
        'several_pieces', 'item_count > 1',
        'the pair counts once, however many pieces were bought',
    ),
]) }}
{%- endmacro %}
