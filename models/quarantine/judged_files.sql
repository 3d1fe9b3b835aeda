-- grain: one row per file of which an incremental build judges new lines only
{{ empty_by_contract() }}
