-- grain: one row per cutoff whose features and pairs are built
{{ empty_by_contract() }}
