select
    origin,
    time_hour as observed_hour,
    temp as temperature_f,
    dewp as dew_point_f,
    humid as humidity_percent,
    wind_dir as wind_direction_degrees,
    wind_speed as wind_speed_mph,
    wind_gust as wind_gust_mph,
    precip as precipitation_inches,
    pressure as pressure_millibars,
    visib as visibility_miles
from {{ source('flights', 'flights__weather') }}
