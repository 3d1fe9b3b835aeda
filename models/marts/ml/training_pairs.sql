-- grain: one row per labelled cutoff, user and coupon chosen for training
{{ pair_features(ref('int_sampled_pairs'), ['label', 'weight', 'is_buyer']) }}
