{# No two versions of a key in a dbt snapshot are valid at the same time, and none ends before it begins. #}
{%- test versions_follow_each_other(model, key) -%}
  {%- set key = adapter.quote(key) -%}
  with versions as (
    select
      {{ key }},
      dbt_valid_from,
      dbt_valid_to,
      lead(dbt_valid_from) over (partition by {{ key }} order by dbt_valid_from) as next_valid_from
    from {{ model }}
  )
  select *
  from versions
  where dbt_valid_to <= dbt_valid_from
    or (next_valid_from is not null and (dbt_valid_to is null or dbt_valid_to > next_valid_from))
{%- endtest -%}
