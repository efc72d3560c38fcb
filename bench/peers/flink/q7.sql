CREATE TABLE answer (auction BIGINT, price BIGINT, bidder BIGINT, date_time TIMESTAMP_LTZ(3), extra STRING) WITH ($sink);
INSERT INTO answer
SELECT bids.auction, bids.price, bids.bidder, bids.date_time, bids.extra
FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(date_time), INTERVAL '10' SECOND)) AS bids
JOIN (
    SELECT MAX(price) AS most, window_start, window_end
    FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(date_time), INTERVAL '10' SECOND))
    GROUP BY window_start, window_end
) AS best
ON bids.window_start = best.window_start AND bids.window_end = best.window_end AND bids.price = best.most;
