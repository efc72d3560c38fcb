copy (
    select user_id, time_bucket(interval 1 minute, timestamp::timestamp) as window_start, count(*) as events, sum(properties.price) as value
    from read_json('$folder/clicks.ndjson', format = 'newline_delimited', columns = {
        event: 'varchar', timestamp: 'varchar', user_id: 'varchar', properties: 'struct(price double)'})
    where event in ('product_view', 'add_to_cart', 'purchase')
    group by all
) to '$output' (format json);
