-- grain: one row per row of prefecture_locations that can be read
with typed as (
    select
        {{ clean_text('PREF_NAME') }} as prefecture_ja,
        {{ clean_text('PREFECTUAL_OFFICE') }} as office_ja,

        {{ cast_or_null(clean_text('LATITUDE'), 'double') }} as latitude,
        {{ cast_or_null(clean_text('LONGITUDE'), 'double') }} as longitude,

        file_line,
        {{ csv_line([
            'PREF_NAME', 'PREFECTUAL_OFFICE', 'LATITUDE', 'LONGITUDE',
        ]) }} as raw_text,
        {{ first_broken([
            rule_present('PREF_NAME'),
            rule_present('LATITUDE'),
            rule_readable(
                'LATITUDE', cast_or_null(clean_text('LATITUDE'), 'double'), 'number'
            ),
            rule_between(
                'LATITUDE', cast_or_null(clean_text('LATITUDE'), 'double'), 20, 46
            ),
            rule_present('LONGITUDE'),
            rule_readable(
                'LONGITUDE', cast_or_null(clean_text('LONGITUDE'), 'double'), 'number'
            ),
            rule_between(
                'LONGITUDE', cast_or_null(clean_text('LONGITUDE'), 'double'), 122, 154
            ),
        ]) }} as broken_rule
    from {{ source('ponpare', 'prefecture_locations') }}
),

{{ refuse_repeated(
    'typed',
    ['prefecture_ja', 'office_ja', 'latitude', 'longitude'],
    key='prefecture_ja',
    key_name='PREF_NAME',
) }}
