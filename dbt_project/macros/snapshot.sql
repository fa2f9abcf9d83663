{# The changes that a snapshot merged are a table of their own, which dbt-dremio leaves in the lake. #}
{%- macro dremio__post_snapshot(staging_relation) -%}
  {% do adapter.drop_relation(staging_relation) %}
{%- endmacro -%}
