{# Says, once the run has ended, what to do about models that failed for want of memory
   or of room on the disk. #}
{% macro tell_what_the_machine_lacked(results) -%}
    {%- set memory = env_var('PONPARE_MEMORY', '') or '3GB' -%}
    {%- set room = 'make room on the disk, or raise the limit for files' -%}
    {%- set advice = {
        'Out of Memory Error': 'PONPARE_MEMORY allows ' ~ memory ~ ': set it higher',
        'No space left on device': room,
        'File too large': room,
        'Disk quota exceeded': room,
    } -%}
    {%- for words, what_to_do in advice.items() -%}
        {%- set failed = [] -%}
        {%- for result in results if words in (result.message or '') -%}
            {%- do failed.append(result.node.name) -%}
        {%- endfor -%}
        {%- if failed -%}
            {%- do log(
                words ~ ' in ' ~ failed[0] ~ ': ' ~ what_to_do
                ~ ', then run `dbt build` again. Scores and runs are as they were.',
                info=true
            ) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}
