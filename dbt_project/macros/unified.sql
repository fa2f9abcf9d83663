{#
  The lambda view over a model that is built by day: every row of its bronze table once, at every instant, also
  while the batch replaces days. docs/lambda.md says why that holds.

  Bronze alone decides which rows there are, in the one snapshot of it that a statement reads. The batch's row
  stands for a bronze row of a cold day while both agree on the key, the day and the columns `same`; every other row
  is computed from bronze, by the SQL of the batch's own models. So it does not matter how far the batch is, nor
  where the boundary between cold and hot days lies: it says which days are always computed.

  Called in a model of materialization view that declares meta.lakehouse.unified: {key, same, hot_days}.

  cold: name of the model that the batch builds; it begins from the bronze rows, one row each.
  hot: the bronze tables it is made of, each as [source, table], first the one whose rows it has.
#}
{%- macro unified(cold, hot) -%}
  {%- set batch, landed = ref(cold), source(*hot[0]) -%}
  {%- for table in hot[1:] %}{% do source(*table) %}{% endfor -%}
  {%- if not execute -%}
    {# dbt is parsing: what is read is known by now, but not the models it is read by. #}
    select 1 as unbuilt
  {%- else -%}
    {%- set node = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model')
        | selectattr('name', 'equalto', cold) | first -%}
    {{ unified_sql(node, batch, landed, config.get('meta', {}).get('lakehouse', {}).get('unified')) }}
  {%- endif -%}
{%- endmacro -%}

{%- macro unified_sql(node, batch, landed, declared) -%}
  {%- set partitions = node.config.meta.get('lakehouse', {}).get('partition_by', {}) -%}
  {%- set day = partitions.get('column') -%}
  {%- if not declared or not day or partitions.get('granularity', 'day') != 'day' -%}
    {% do exceptions.raise_compiler_error(
        "unified: " ~ model.name ~ " has to declare meta.lakehouse.unified, and " ~ node.name
        ~ " partition_by with granularity day"
    ) %}
  {%- endif -%}
  {%- set columns = adapter.get_columns_in_relation(batch) | map(attribute='quoted') | list -%}
  {%- if not columns and flags.WHICH == 'generate' -%}
    {#- Documentation is of what is not built yet too: the columns are those that it declares. -#}
    {%- set ns = namespace(columns=[]) -%}
    {%- for name in node.columns %}{% set ns.columns = ns.columns + [adapter.quote(name)] %}{% endfor -%}
    {%- set columns = ns.columns -%}
  {%- endif -%}
  {%- if not columns -%}
    {% do exceptions.raise_compiler_error("unified: " ~ batch ~ " is not built yet; build it first") %}
  {%- endif -%}
  {%- set boundary = (run_started_at - modules.datetime.timedelta(days=declared.hot_days)).date() -%}
  {%- set is_cold, is_hot = "\\1 < date '" ~ boundary ~ "'", "\\1 >= date '" ~ boundary ~ "'" -%}
  {%- set is_behind = "\\1 in (select " ~ adapter.quote(day) ~ " from behind)" -%}
  {%- set day_of_batch, day_of_landed = 'batch.' ~ adapter.quote(day), 'landed.' ~ adapter.quote(day) -%}
  {%- set stands = columns_agree(declared.key + [day] + declared.get('same', [])) -%}

with behind as (
    select landed.*
    from {{ landed }} as landed
    where {{ is_cold | replace('\\1', day_of_landed) }}
        and not exists (select 1 from {{ batch }} as batch where {{ stands }})
),

{{ as_of_now(node, 'hot_', is_hot) }},

{{ as_of_now(node, 'behind_', is_cold, is_behind) }}

select batch.{{ columns | join(', batch.') }}
from {{ batch }} as batch
inner join {{ landed }} as landed on {{ stands }}
where {{ is_cold | replace('\\1', day_of_batch) }}
union all
select {{ columns | join(', ') }}
from hot_{{ node.name }}
union all
select batch.{{ columns | join(', batch.') }}
from behind_{{ node.name }} as batch
where exists (select 1 from behind as landed where {{ columns_agree(declared.key) }})
{%- endmacro -%}

{%- macro columns_agree(columns) -%}
  {%- for column in columns | map('string') -%}
    batch.{{ adapter.quote(column) }} = landed.{{ adapter.quote(column) }}{{ ' and ' if not loop.last }}
  {%- endfor -%}
{%- endmacro -%}

{#
  A model that is built by day, and those by day that it is made of, as common table expressions on bronze: their
  own SQL, as it is now and not as the batch last built it.

  prefix: of the expressions' names, before the models'.
  window: the condition on the day in the place of in_window, in which \1 is the column.
  of_landed: a further one where bronze is read.
#}
{%- macro as_of_now(node, prefix, window, of_landed=none) -%}
  {%- set made, sql = [], [node.raw_code] -%}
  {%- for id in node.depends_on.nodes -%}
    {%- set parent = graph.nodes.get(id) -%}
    {%- if parent and parent.config.materialized == 'incremental' -%}
      {% do made.append(as_of_now(parent, prefix, window, of_landed)) %}
      {% do sql.append(modules.re.sub(called('ref', parent.name), prefix ~ parent.name, sql[-1])) %}
    {%- elif not parent and id not in model.depends_on.nodes -%}
      {% do exceptions.raise_compiler_error(
          "unified: " ~ node.name ~ " reads " ~ id ~ "; add it to hot in " ~ model.name
      ) %}
    {%- endif -%}
  {%- endfor -%}
  {%- set condition = '(' ~ window ~ (' and ' ~ of_landed if of_landed and not made) ~ ')' -%}
  {%- set windowed = modules.re.sub(called('in_window', '([^\'"]+)'), condition, sql[-1]) -%}
  {%- if windowed == sql[-1] or 'in_window(' in windowed -%}
    {% do exceptions.raise_compiler_error(
        "unified: the SQL of " ~ node.name ~ " has no in_window(column), or one that takes more than a column"
    ) %}
  {%- endif -%}
  {% do made.append(prefix ~ node.name ~ ' as (' ~ render(windowed) ~ '\n)') %}
  {{- made | join(',\n\n') -}}
{%- endmacro -%}

{# A regular expression for the call of a macro with one literal. #}
{%- macro called(name, literal) -%}
  \{\{-?\s*{{ name }}\(\s*['"]{{ literal }}['"]\s*\)\s*-?\}\}
{%- endmacro -%}
