-- Inputs and settings of all questions. Times are moments in UTC, which JSON writes with a Z.
SET 'table.local-time-zone' = 'UTC';
CREATE TABLE clicks (
    event STRING,
    `timestamp` TIMESTAMP_LTZ(3),
    user_id STRING,
    properties ROW<price DOUBLE>,
    WATERMARK FOR `timestamp` AS `timestamp` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = '$folder/clicks.ndjson', 'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601');
CREATE TABLE bid (
    auction BIGINT,
    bidder BIGINT,
    price BIGINT,
    extra STRING,
    date_time TIMESTAMP_LTZ(3),
    WATERMARK FOR date_time AS date_time
) WITH ('connector' = 'filesystem', 'path' = '$folder/bid.ndjson', 'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601');
CREATE TABLE person (
    id BIGINT,
    name STRING,
    date_time TIMESTAMP_LTZ(3),
    WATERMARK FOR date_time AS date_time
) WITH ('connector' = 'filesystem', 'path' = '$folder/person.ndjson', 'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601');
CREATE TABLE auction (
    seller BIGINT,
    date_time TIMESTAMP_LTZ(3),
    WATERMARK FOR date_time AS date_time
) WITH ('connector' = 'filesystem', 'path' = '$folder/auction.ndjson', 'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601');
