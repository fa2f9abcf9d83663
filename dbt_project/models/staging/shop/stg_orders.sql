{{ config(materialized='incremental', partition_by=['order_date']) }}

select
    order_id,
    customer_id,
    order_date,
    lower(status) as status,
    cast(amount as decimal(12, 2)) as amount,
    currency,
    created_at,
    updated_at
from {{ source('shop', 'shop__orders') }}
where {{ in_window('order_date') }}
