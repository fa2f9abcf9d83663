{{ config(materialized='view') }}

{{ unified('fct_orders', hot=[['shop', 'shop__orders'], ['shop', 'shop__order_items']]) }}
