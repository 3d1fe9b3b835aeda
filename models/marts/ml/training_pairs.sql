-- grain: one row per labelled cutoff, user and coupon chosen for training
{{ config(post_hook="{{ append_training_parts() }}") }}
{{ training_part(0, 0) }}
