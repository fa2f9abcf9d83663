{#
  Incremental models build a window of periods: from min_date (inclusive) to max_date (exclusive), ISO dates, or from
  min_time to max_time, `YYYY-MM-DD HH:MM:SS` in UTC. Without any, and with --full-refresh, they build everything.

  With the variable days, a list of ISO dates, a model by date builds only these days of its window.

  The condition that a column lies in the window. `type` is the column's, date or timestamp; by default that of the
  model's own partition column. With lookback=true it lies in what the model may read: the window, and before it
  as much as the model's `lookback` declares.
#}
{%- macro in_window(column, type=none, lookback=false) -%}
  {%- set given = [var('min_date', none), var('max_date', none), var('min_time', none), var('max_time', none)] -%}
  {%- if given == [none, none, none, none] -%}
    1 = 1
  {%- else -%}
    {%- set kind = type or partition_column_type() -%}
    {%- set first, end = window_bounds(kind, lookback) -%}
    {{ column }} >= {{ kind }} '{{ first }}' and {{ column }} < {{ kind }} '{{ end }}'
    {%- if kind == 'date' and not lookback and var('days', []) %} and {{ column }} in ({{ days_to_build() }}){% endif -%}
  {%- endif -%}
{%- endmacro -%}

{%- macro days_to_build() -%}
  {%- for day in var('days') -%}
    {%- if not modules.re.match('\\d{4}-\\d{2}-\\d{2}$', day | string) -%}
      {% do exceptions.raise_compiler_error("days are ISO dates, not " ~ day) %}
    {%- endif -%}
    {{ ', ' if not loop.first }}date '{{ day }}'
  {%- endfor -%}
{%- endmacro -%}

{%- macro window_bounds(kind, lookback) -%}
  {%- set declared = declared_here() -%}
  {%- set unit, pattern = ('date', '\\d{4}-\\d{2}-\\d{2}$') if kind == 'date'
      else ('time', '\\d{4}-\\d{2}-\\d{2} \\d{2}:\\d{2}:\\d{2}$') -%}
  {%- set from = 'read_' if lookback else 'min_' -%}
  {%- set bounds = [var(from ~ unit, none), var('max_' ~ unit, none)] -%}
  {%- if kind != 'date' and bounds == [none, none] and declared.get('partition_by', {}).get('timezone', 'UTC') == 'UTC' -%}
    {%- set bounds = [var(from ~ 'date', none) ~ ' 00:00:00', var('max_date', none) ~ ' 00:00:00'] -%}
  {%- endif -%}
  {%- for bound in bounds if not modules.re.match(pattern, bound | string) -%}
    {% do exceptions.raise_compiler_error(
        "the window of a " ~ kind ~ " is two ISO " ~ unit ~ "s, " ~ from ~ unit ~ " (inclusive) and max_" ~ unit
        ~ " (exclusive), not " ~ bounds[0] ~ " and " ~ bounds[1]
    ) %}
  {%- endfor -%}
  {{ return(bounds) }}
{%- endmacro -%}

{#- `meta.lakehouse` of the model that is built. -#}
{%- macro declared_here() -%}
  {{ return((model.config.get('meta') or {}).get('lakehouse') or {}) }}
{%- endmacro -%}

{%- macro partition_column() -%}
  {{ return(declared_here().get('partition_by', {}).get('column') or config.require('partition_by')[0]) }}
{%- endmacro -%}

{%- macro partition_column_type() -%}
  {%- set kind = model.columns.get(partition_column(), {}).get('data_type') or 'date' -%}
  {{ return('timestamp' if kind | lower == 'timestamp' else 'date') }}
{%- endmacro -%}

{#
  Replaces dbt-dremio's macro for incremental_strategy append, which has no insert_overwrite: the window goes
  just before its new rows are appended, so building a window again gives the same rows. The new rows are
  computed by then (in source_relation): a model that fails leaves the table as it was, which a delete in a
  pre-hook would not. Delete and append are two commits: a run that dies between them leaves its window empty,
  and its partitions without a materialization, until it runs again.
#}
{%- macro dremio__get_incremental_append_sql(source_relation, target_relation, dest_columns) -%}
  {%- set columns = dest_columns | map(attribute='quoted') | join(', ') -%}
  {%- call statement('delete_window') -%}
    delete from {{ target_relation }} where {{ in_window(adapter.quote(partition_column())) }}
  {%- endcall -%}
  insert into {{ target_relation }} ({{ columns }})
  select {{ columns }} from {{ source_relation }}
{%- endmacro -%}
