-- A test of two models is a check of the one that is named here.
{{ config(meta={'dagster': {'ref': {'name': 'fct_daily_revenue'}}}) }}

-- The daily figures add up to the orders they were made from, day by day.
with orders as (
    select
        order_date,
        count(*) as orders,
        sum(case when status = 'completed' then amount else 0 end) as revenue
    from {{ ref('fct_orders') }}
    group by order_date
)

select
    orders.order_date,
    orders.revenue,
    daily.revenue as daily_revenue
from orders
left join {{ ref('fct_daily_revenue') }} as daily
    on orders.order_date = daily.order_date
where
    daily.order_date is null
    or orders.orders <> daily.orders
    or orders.revenue <> daily.revenue
