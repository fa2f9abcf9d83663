select
    faa as airport,
    trim(name) as airport_name,
    lat as latitude,
    lon as longitude,
    alt as altitude_feet,
    tz as utc_offset_hours,
    dst,
    tzone as time_zone
from {{ source('flights', 'flights__airports') }}
