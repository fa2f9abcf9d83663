select
    customer_id,
    customer_name,
    email,
    phone,
    address,
    city,
    state,
    zip_code,
    created_at,
    updated_at
from {{ ref('stg_customers') }}
