{# What pair_features repeats: joins on the keys of a cutoff, and terms of the pair. #}

{# Join on the keys of a user at a cutoff. #}
{% macro join_users(mart, alias, part, only_users, kind='left') -%}
{{ kind }} join {{ of_part(mart, part, only_users) }} as {{ alias }}
    on
        pairs.cutoff_date = {{ alias }}.cutoff_date
        and pairs.user_id = {{ alias }}.user_id
{%- endmacro %}

{# Join on the keys of a candidate coupon at a cutoff. #}
{% macro join_coupons(mart, alias) -%}
inner join {{ ref(mart) }} as {{ alias }}
    on
        pairs.cutoff_date = {{ alias }}.cutoff_date
        and pairs.coupon_id = {{ alias }}.coupon_id
{%- endmacro %}

{# A user's purchases or page views per coupon on offer and active week, by window,
   smoothed: `preference_prior_weeks` active weeks of the user's segment are added. #}
{% macro smoothed_rates(attribute, event) -%}
{%- set prior = var('preference_prior_weeks') -%}
{%- set history = attributes()[attribute] | replace('feature_', '') -%}
{%- set name = attribute | replace('_key_id', '') -%}
{%- for window, weeks in {
    '': 'n_active_weeks', '_4w': 'n_active_weeks_4w', '_13w': 'n_active_weeks_13w',
    '_decayed': 'active_weeks_decayed',
}.items() -%}
    cast((
        {%- if event == 'purchase' %}
        coalesce({{ history }}.purchases_per_offer{{ window }}, 0)
        {%- else %}
        coalesce({{ history }}.views_per_offer{{ window }}, 0)
        {%- endif %}
        + {{ prior }} * segments.segment_{{ name }}_{{ event }}_rate
    ) / (activity.{{ weeks }} + {{ prior }}) as {{ sql_type('float') }})
    as {{ name }}_{{ event }}_rate{{ window }}
    {%- if not loop.last %},
    {% endif %}
{%- endfor %}
{%- endmacro %}

{# Cosine between the user's decayed purchases and the coupon over the attributes in
   `cosine_weights`, rare values weighing more; 0 without purchases. #}
{% macro profile_cosine() -%}
coalesce(
        (
            {% for attribute, weight in var('cosine_weights').items() -%}
            {%- set history = attributes()[attribute] | replace('feature_', '') -%}
            {{ weight }}
            * coalesce({{ history }}.n_purchases_decayed, 0)
            * power(coalesce(coupon_profiles.{{ attribute }}_rarity, 0), 2)
            {%- if not loop.last %} + {% endif %}
            {% endfor -%}
        )
        / nullif(user_profiles.profile_norm * coupon_profiles.coupon_norm, 0),
        0
    )
{%- endmacro %}

{# Mean likeness of the coupon and the user's purchases, recent ones counting more, with
   `likeness_prior_purchases` of everybody's added. #}
{% macro smoothed_likeness(name, newcomers) -%}
{%- set prior = 1000000 * var('likeness_prior_purchases') -%}
cast((
        {{ 0 if newcomers else 'coalesce(likenesses.' ~ name ~ ', 0)' }}
        + {{ prior }} * coupon_likeness.everybodys_{{ name }}
    ) / (coalesce(totals.decayed_purchase_millionths, 0) + {{ prior }}) as {{ sql_type('float') }})
{%- endmacro %}

{# What the competition's public cosine script scores a pair by: the sum of the user's
   purchases, and a little of the page views, times the coupon's attributes, weighted by
   the user's sex. Like the script's it is divided by no length: a coupon's length would
   change the order. A price below 10 yen counts as 10, as 1 / log10(1) is no number; a
   free coupon has 0, as in the script. #}
{% macro competition_cosine() -%}
{%- set weights = var('competition_cosine_weights') -%}
case users.user_sex
        {% for sex in weights -%}
        when '{{ sex }}'
            then
                {{ competition_cosine_of(weights[sex]) }}
        {% endfor -%}
    end
{%- endmacro %}

{# The same with the weights of one sex. #}
{% macro competition_cosine_of(weights) -%}
{%- set views = var('competition_cosine_view_weight') -%}
                {% for attribute in ['genre', 'large_area', 'small_area'] -%}
                {%- set history = attributes()[attribute] | replace('feature_', '') -%}
                {{ weights[attribute] }} * (
                    coalesce({{ history }}.n_purchases, 0)
                    + {{ views }} * coalesce({{ history }}.n_views, 0)
                )
                + {% endfor -%}
                {{ weights.validity }} * case
                    when exposure.valid_days is not null
                        then
                            coalesce(totals.n_dated_purchases, 0)
                            + {{ views }} * coalesce(totals.n_dated_views, 0)
                    else
                        coalesce(totals.n_undated_purchases, 0)
                        + {{ views }} * coalesce(totals.n_undated_views, 0)
                end
                + (
                    coalesce(totals.n_dated_purchases, 0)
                    + coalesce(totals.n_undated_purchases, 0)
                    + {{ views }} * (
                        coalesce(totals.n_dated_views, 0)
                        + coalesce(totals.n_undated_views, 0)
                    )
                ) * (
                    {{ weights.price }} * case
                        when coupons.discount_price_yen > 0
                            then
                                1 / log10(
                                    cast(
                                        greatest(coupons.discount_price_yen, 10)
                                        as {{ sql_type('double') }}
                                    )
                                )
                        else 0
                    end
                    + {{ weights.display }}
                    * least(coalesce(exposure.display_days, 1), 7)
                    / cast(7 as {{ sql_type('double') }})
                    + {{ weights.usability }}
                    * (exposure.n_usable_days + exposure.n_conditional_days)
                    / cast(9 as {{ sql_type('double') }})
                )
{%- endmacro %}

{# The training pairs of one part and of one group of its users. The table is made of the
   first, the others follow. #}
{% macro training_part(part, group) -%}
with users_of_group as (
    select user_id
    from {{ ref('dim_users') }}
    where
        mod(user_id, (select max(n_user_groups) from {{ ref('int_cutoffs_to_build') }}))
        = {{ group }}
)

{{ pair_features(
    ref('int_sampled_pairs'), ['label', 'weight', 'is_buyer', 'is_viewed'],
    sample=true, part=part, only_users='users_of_group'
) }}
{%- endmacro %}

{# The condition that a pair is drawn with a probability, by the seeds of user and coupon:
   their product modulo a prime spreads evenly over 1 .. prime - 1. #}
{% macro is_drawn(user_seed, coupon_seed, probability) -%}
{%- set prime = 2147483647 -%}
mod({{ user_seed }} * {{ coupon_seed }}, {{ prime }})
        <= {{ probability }} * ({{ prime }} - 1)
{%- endmacro %}
