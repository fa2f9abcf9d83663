{#
  No two rows have the same values in all of these columns, which is a key of more than one: dbt's own `unique` looks
  at one. Named and called as in dbt_utils, which is not on a Python package index.
#}
{%- test unique_combination_of_columns(model, combination_of_columns) -%}
  {%- set columns = [] -%}
  {%- for column in combination_of_columns %}{% do columns.append(adapter.quote(column)) %}{% endfor -%}
  select {{ columns | join(', ') }}, count(*) as n_records
  from {{ model }}
  group by {{ columns | join(', ') }}
  having count(*) > 1
{%- endtest -%}
