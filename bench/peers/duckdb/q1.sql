copy (
    select auction, bidder, 0.908::double * price as price, date_time, extra
    from read_json('$folder/bid.ndjson', format = 'newline_delimited', columns = {
        auction: 'bigint', bidder: 'bigint', price: 'bigint', date_time: 'timestamp', extra: 'varchar'})
) to '$output' (format json);
