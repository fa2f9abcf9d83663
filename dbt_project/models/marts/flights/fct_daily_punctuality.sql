{{ config(materialized='incremental', partition_by=['flight_date']) }}

select
    flight_date,
    carrier,
    origin,
    count(*) as flights,
    sum(case when cancelled then 1 else 0 end) as cancelled,
    count(dep_delay_minutes) as departed,
    sum(case when dep_delay_minutes > 15 then 1 else 0 end) as delayed_over_15,
    sum(dep_delay_minutes) as total_dep_delay_minutes,
    avg(dep_delay_minutes) as average_dep_delay_minutes
from {{ ref('fct_departures') }}
where {{ in_window('flight_date') }}
group by flight_date, carrier, origin
