{{ config(materialized='incremental', partition_by=['flight_date']) }}

select
    flights.flight_date,
    flights.carrier,
    flights.flight_number,
    flights.tail_number,
    flights.origin,
    flights.destination,
    flights.scheduled_hour,
    flights.dep_time is null as cancelled,
    flights.dep_delay_minutes,
    flights.arr_delay_minutes,
    flights.air_time_minutes,
    flights.distance_miles,
    weather.temperature_f,
    weather.wind_speed_mph,
    weather.precipitation_inches,
    weather.visibility_miles
from {{ ref('stg_flights') }} as flights
left join {{ ref('stg_weather') }} as weather
    on
        flights.origin = weather.origin
        and flights.scheduled_hour = weather.observed_hour
where {{ in_window('flights.flight_date') }}
