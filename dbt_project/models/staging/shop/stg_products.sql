select
    product_id,
    sku,
    trim(name) as product_name,
    category,
    cast(price as decimal(10, 2)) as price,
    active,
    created_at,
    updated_at
from {{ source('shop', 'shop__products') }}
