CREATE TABLE answer (auction BIGINT, bidder BIGINT, price DOUBLE, date_time TIMESTAMP_LTZ(3), extra STRING) WITH ($sink);
INSERT INTO answer
SELECT auction, bidder, 0.908E0 * price, date_time, extra FROM bid;
