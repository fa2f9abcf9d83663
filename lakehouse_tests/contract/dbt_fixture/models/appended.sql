{{ config(materialized='incremental', incremental_strategy='append') }}
select code, current_timestamp as seen_at from {{ ref('countries') }}
