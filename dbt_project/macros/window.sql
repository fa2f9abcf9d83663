{#
  Incremental models build a window of days: the vars min_date (inclusive) and max_date (exclusive), ISO dates.
  Without them, and with --full-refresh, they build all days.
#}

{%- macro in_window(column) -%}
  {%- set first, end = var('min_date', none), var('max_date', none) -%}
  {%- if first is none and end is none -%}
    1 = 1
  {%- else -%}
    {%- for day in (first, end) if not modules.re.match('\\d{4}-\\d{2}-\\d{2}$', day | string) -%}
      {% do exceptions.raise_compiler_error(
          "a window is two ISO dates, min_date (inclusive) and max_date (exclusive), not " ~ first ~ " and " ~ end
      ) %}
    {%- endfor -%}
    {{ column }} >= date '{{ first }}' and {{ column }} < date '{{ end }}'
  {%- endif -%}
{%- endmacro -%}

{#
  Replaces dbt-dremio's macro for incremental_strategy append, which has no insert_overwrite: the window goes
  just before its new rows are appended, so building a window again gives the same rows. The new rows are
  computed by then (in source_relation): a model that fails leaves the table as it was, which a delete in a
  pre-hook would not. Delete and append are two commits: a run that dies between them leaves its window empty,
  and its partitions without a materialization, until it runs again.
#}
{%- macro dremio__get_incremental_append_sql(source_relation, target_relation, dest_columns) -%}
  {%- set days = config.require('partition_by') -%}
  {%- set columns = dest_columns | map(attribute='quoted') | join(', ') -%}
  {%- call statement('delete_window') -%}
    delete from {{ target_relation }} where {{ in_window(adapter.quote(days[0])) }}
  {%- endcall -%}
  insert into {{ target_relation }} ({{ columns }})
  select {{ columns }} from {{ source_relation }}
{%- endmacro -%}
