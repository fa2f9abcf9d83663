with orders as (
    select
        customer_id,
        count(*) as orders,
        sum(case when status = 'cancelled' then 1 else 0 end) as cancelled_orders
    from {{ ref('fct_orders') }}
    group by customer_id
)

select
    customers.customer_id,
    customers.customer_name,
    customers.city,
    customers.state,
    coalesce(orders.orders, 0) as orders,
    coalesce(orders.cancelled_orders, 0) as cancelled_orders,
    coalesce(worth.total_orders, 0) as completed_orders,
    coalesce(worth.lifetime_value, cast(0 as decimal(18, 2))) as lifetime_value,
    worth.last_order_date
from {{ ref('dim_customers') }} as customers
left join orders
    on customers.customer_id = orders.customer_id
left join {{ ref('fct_customer_lifetime_value') }} as worth
    on customers.customer_id = worth.customer_id
