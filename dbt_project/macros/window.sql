{#
  Partitioned models build a window of days: the vars min_date (inclusive) and max_date (exclusive), ISO dates.
  The adapter has no insert_overwrite, so a run deletes its window and appends it anew. Running a window again
  gives the same rows. The delete and the append are two commits: a run that dies in between leaves its window
  empty, and the partition without a materialization, until it runs again.
#}

{%- macro in_window(column) -%}
  {%- if var('min_date', none) and var('max_date', none) -%}
    {{ column }} >= date '{{ var("min_date") }}' and {{ column }} < date '{{ var("max_date") }}'
  {%- else -%}
    1 = 1
  {%- endif -%}
{%- endmacro -%}

{%- macro delete_window(column) -%}
  {%- if is_incremental() -%}
    delete from {{ this }} where {{ in_window(column) }}
  {%- endif -%}
{%- endmacro -%}
