{{ config(materialized='table', partition_by=['code']) }}
select code, upper(name) as name, people from {{ ref('countries') }}
