-- A hop of ten seconds each two is five panes of two seconds: panes are counted first, and each is added to the five windows that have it.
copy (
    with panes as (
        select auction, time_bucket(interval 2 second, date_time) as pane, count(*) as num
        from read_json('$folder/bid.ndjson', format = 'newline_delimited', columns = {auction: 'bigint', date_time: 'timestamp'})
        group by all
    ),
    counts as (
        select auction, pane - to_seconds(2 * hop) as window_start, sum(num)::bigint as num
        from panes, unnest([0, 1, 2, 3, 4]) as hops(hop)
        group by all
    )
    select auction, num, window_start
    from counts
    qualify num = max(num) over (partition by window_start)
) to '$output' (format json);
