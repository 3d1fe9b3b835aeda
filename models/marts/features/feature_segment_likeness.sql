-- grain: one row per cutoff, segment of users and coupon of the target week
{{ config(post_hook="{{ append_parts(segment_likeness) }}") }}
{{ segment_likeness(0) }}
