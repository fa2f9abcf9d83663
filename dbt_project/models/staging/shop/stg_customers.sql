select
    customer_id,
    trim(upper(name)) as customer_name,
    lower(email) as email,
    phone,
    address,
    city,
    state,
    zip_code,
    created_at,
    updated_at
from {{ source('shop', 'shop__customers') }}
