CREATE TABLE answer (user_id STRING, window_start TIMESTAMP(3), events BIGINT, `value` DOUBLE) WITH ($sink);
INSERT INTO answer
SELECT user_id, window_start, COUNT(*), SUM(properties.price)
FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(`timestamp`), INTERVAL '1' MINUTE))
WHERE event IN ('product_view', 'add_to_cart', 'purchase')
GROUP BY user_id, window_start, window_end;
