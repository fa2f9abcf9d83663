select
    carrier,
    trim(name) as carrier_name
from {{ source('flights', 'flights__airlines') }}
