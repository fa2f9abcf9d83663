select
    customer_id,
    customer_name,
    email,
    count(distinct order_id) as total_orders,
    cast(sum(amount) as decimal(18, 2)) as lifetime_value,
    cast(avg(amount) as decimal(18, 2)) as average_order_value,
    min(order_date) as first_order_date,
    max(order_date) as last_order_date,
    datediff(max(order_date), min(order_date)) as customer_lifespan_days
from {{ ref('int_customer_orders') }}
where status = 'completed'
group by customer_id, customer_name, email
