with texts as (
    {% for text in [
        "'plain'", "''", "' '", "'  '", "' before'", "'after '", "' both '",
        "'in between'", "'!'", "'~'", "'東京'", "' 東京 '", "'東京 '", "'a京 '",
        "chr(9) || 'tab'", "'tab' || chr(9)", "'line' || chr(10)", "chr(13) || 'line'",
        "chr(12288) || 'wide'", "'wide' || chr(12288)", "chr(160) || '東' || chr(160)",
        "'e' || chr(769)", "chr(127) || ' '",
    ] -%}
    select {{ text }} as word
    {% if not loop.last -%}
    union all
    {% endif -%}
    {% endfor -%}
    union all
    select cast(null as {{ dbt.type_string() }}) as word
)

select word
from texts
where
    coalesce({{ trimmed('word') }}, 'null') != coalesce(trim(word), 'null')
    or coalesce({{ clean_text('word') }}, '') != coalesce(trim(word), '')
