{{ config(materialized='incremental', partition_by=['order_date']) }}

with items as (
    select
        order_id,
        count(*) as line_count,
        sum(quantity) as item_count,
        cast(sum(discount) as decimal(12, 2)) as discount_amount
    from {{ ref('stg_order_items') }}
    where {{ in_window('order_date') }}
    group by order_id
)

select
    orders.order_id,
    orders.customer_id,
    orders.order_date,
    orders.status,
    orders.amount,
    orders.currency,
    coalesce(items.line_count, 0) as line_count,
    coalesce(items.item_count, 0) as item_count,
    coalesce(items.discount_amount, cast(0 as decimal(12, 2))) as discount_amount,
    orders.created_at,
    orders.updated_at
from {{ ref('stg_orders') }} as orders
left join items
    on orders.order_id = items.order_id
where {{ in_window('orders.order_date') }}
