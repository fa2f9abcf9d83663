{{ config(materialized='incremental', partition_by=['order_date']) }}

select
    order_item_id,
    order_id,
    product_id,
    order_date,
    quantity,
    cast(unit_price as decimal(10, 2)) as unit_price,
    cast(discount as decimal(10, 2)) as discount,
    cast(line_amount as decimal(12, 2)) as line_amount,
    updated_at
from {{ source('shop', 'shop__order_items') }}
where {{ in_window('order_date') }}
