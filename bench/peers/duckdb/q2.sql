copy (
    select auction, price
    from read_json('$folder/bid.ndjson', format = 'newline_delimited', columns = {auction: 'bigint', price: 'bigint'})
    where auction % 123 = 0
) to '$output' (format json);
