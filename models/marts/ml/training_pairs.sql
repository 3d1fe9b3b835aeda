-- grain: one row per labelled cutoff, user and coupon chosen for training
{{ config(post_hook="{{ append_parts(training_part, by_group=true) }}") }}
{{ training_part(0, 0) }}
