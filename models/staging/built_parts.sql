-- grain: one row per model and part whose rows are there
{{ empty_by_contract() }}
