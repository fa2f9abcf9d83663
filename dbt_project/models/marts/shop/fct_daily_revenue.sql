{{ config(materialized='incremental', partition_by=['order_date']) }}

select
    order_date,
    count(*) as orders,
    count(distinct customer_id) as customers,
    cast(sum(amount) as decimal(18, 2)) as gross_amount,
    cast(sum(case when status = 'completed' then amount else 0 end) as decimal(18, 2)) as revenue,
    sum(case when status = 'completed' then 1 else 0 end) as completed_orders,
    sum(case when status = 'cancelled' then 1 else 0 end) as cancelled_orders
from {{ ref('fct_orders') }}
where {{ in_window('order_date') }}
group by order_date
