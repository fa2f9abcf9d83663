{{ config(materialized='incremental', incremental_strategy='merge', unique_key='code') }}
select code, people * {{ var('factor', 1) }} as people from {{ ref('countries') }}
