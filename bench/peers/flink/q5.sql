CREATE TABLE answer (auction BIGINT, num BIGINT, window_start TIMESTAMP(3)) WITH ($sink);
INSERT INTO answer
SELECT counts.auction, counts.num, counts.window_start
FROM (
    SELECT auction, COUNT(*) AS num, window_start, window_end
    FROM TABLE(HOP(TABLE bid, DESCRIPTOR(date_time), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
    GROUP BY auction, window_start, window_end
) AS counts
JOIN (
    SELECT MAX(num) AS most, window_start, window_end
    FROM (
        SELECT auction, COUNT(*) AS num, window_start, window_end
        FROM TABLE(HOP(TABLE bid, DESCRIPTOR(date_time), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
        GROUP BY auction, window_start, window_end
    )
    GROUP BY window_start, window_end
) AS best
ON counts.window_start = best.window_start AND counts.window_end = best.window_end AND counts.num = best.most;
