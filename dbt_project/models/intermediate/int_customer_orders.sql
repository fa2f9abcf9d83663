{{ config(materialized='incremental', partition_by=['order_date']) }}

select
    customers.customer_id,
    customers.customer_name,
    customers.email,
    orders.order_id,
    orders.order_date,
    orders.amount,
    orders.status
from {{ ref('stg_orders') }} as orders
inner join {{ ref('stg_customers') }} as customers
    on orders.customer_id = customers.customer_id
where {{ in_window('orders.order_date') }}
