select
    product_id,
    sku,
    product_name,
    category,
    price,
    active,
    created_at,
    updated_at
from {{ ref('stg_products') }}
