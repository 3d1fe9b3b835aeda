-- grain: one row per row of coupon_visit_train that is refused
-- depends_on: {{ ref('judged_files') }}
{{ config(post_hook='{{ remember_judged_file() }}') }}
{{ quarantine(
    'coupon_visit_train', ref('checked_visits'), after_line=last_judged_line()
) }}
