copy (
    select id, name, time_bucket(interval 10 second, date_time) as window_start
    from read_json('$folder/person.ndjson', format = 'newline_delimited', columns = {id: 'bigint', name: 'varchar', date_time: 'timestamp'}) as person
    where (id, time_bucket(interval 10 second, date_time)) in (
        select (seller, time_bucket(interval 10 second, date_time))
        from read_json('$folder/auction.ndjson', format = 'newline_delimited', columns = {seller: 'bigint', date_time: 'timestamp'}))
) to '$output' (format json);
