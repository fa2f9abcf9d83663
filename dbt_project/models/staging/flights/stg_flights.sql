{{ config(materialized='incremental', partition_by=['flight_date']) }}

select
    flight_date,
    carrier,
    flight as flight_number,
    tailnum as tail_number,
    origin,
    dest as destination,
    sched_dep_time,
    dep_time,
    dep_delay as dep_delay_minutes,
    sched_arr_time,
    arr_time,
    arr_delay as arr_delay_minutes,
    air_time as air_time_minutes,
    distance as distance_miles,
    time_hour as scheduled_hour
from {{ source('flights', 'flights__flights') }}
where {{ in_window('flight_date') }}
