{{ config(materialized='view') }}
select name from {{ ref('people') }} where people > 70000000
