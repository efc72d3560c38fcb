/* Tables of names that people bring along from PostgreSQL, MySQL, SQL Server, Oracle, Snowflake, Spark, ClickHouse, Kusto, Flink and from other
 * pipes. Names that differ only by a slip are found by did-you-mean and have no row here. */
#include "foreign.h"

struct foreign {
    const char *name, *hint;
};

static const struct foreign functions[] = {
    {"len", "write length(…)"},
    {"strlen", "write length(…)"},
    {"lcase", "write lower(…)"},
    {"ucase", "write upper(…)"},
    {"charindex", "write strpos(text, part)"},
    {"position", "write strpos(text, part)"},
    {"locate", "write strpos(text, part)"},
    {"substring_index", "write split(text, ',')[safe_offset(0)]"},
    {"split_part", "write split(text, ',')[safe_offset(0)]"},
    {"concat_ws", "write array_to_string([a, b], ',')"},
    {"to_char", "write format_timestamp('%Y-%m-%d', t), or cast(… as string format '…')"},
    {"date_format", "write format_timestamp('%Y-%m-%d', t)"},
    {"to_timestamp", "write parse_timestamp('%Y-%m-%d', text), or cast(… as timestamp)"},
    {"to_date", "write parse_date('%Y-%m-%d', text), or cast(… as date)"},
    {"str_to_date", "write parse_date('%Y-%m-%d', text)"},
    {"to_number", "write cast(… as numeric)"},
    {"isnumeric", "write safe_cast(… as numeric) is not null"},
    {"try_cast", "write safe_cast(… as TYPE)"},
    {"convert", "write cast(… as TYPE)"},
    {"nvl", "write ifnull(…, …)"},
    {"isnull", "write … is null, or ifnull(…, …)"},
    {"notnull", "write … is not null"},
    {"nvl2", "write if(a is not null, b, c)"},
    {"iif", "write if(…, …, …)"},
    {"decode", "write case … when … then … end"},
    {"now", "write current_timestamp()"},
    {"getdate", "write current_timestamp()"},
    {"sysdate", "write current_timestamp()"},
    {"dateadd", "write timestamp_add(t, interval 1 day), or t + interval 1 day"},
    {"datediff", "write timestamp_diff(later, earlier, day)"},
    {"date_part", "write extract(hour from t)"},
    {"datepart", "write extract(hour from t)"},
    {"year", "write extract(year from t)"},
    {"month", "write extract(month from t)"},
    {"day", "write extract(day from t)"},
    {"hour", "write extract(hour from t)"},
    {"minute", "write extract(minute from t)"},
    {"dayofweek", "write extract(dayofweek from t)"},
    {"unix_timestamp", "write unix_seconds(t)"},
    {"from_unixtime", "write timestamp_seconds(n)"},
    {"regexp_like", "write regexp_contains(text, pattern)"},
    {"rlike", "write regexp_contains(text, pattern)"},
    {"match", "write regexp_contains(text, pattern)"},
    {"contains", "write contains_substr(text, part), or text like '%part%'"},
    {"startswith", "write starts_with(text, part)"},
    {"endswith", "write ends_with(text, part)"},
    {"get_json_object", "write json_value(j, '$.a')"},
    {"json_extract_path_text", "write json_value(j, '$.a')"},
    {"size", "write array_length(…)"},
    {"cardinality", "write array_length(…)"},
    {"explode", "write |> cross join unnest(…) as item"},
    {"flatten", "write |> cross join unnest(…) as item"},
    {"uuid", "a replay must give the same rows again; to_hex(md5(concat(…))) of the row's own ids is an id"},
    {"random", "a replay must give the same rows again; |> sample P percent by KEY takes a share of the keys"},
    {"median", "write approx_quantiles(x, 2)[offset(1)]"},
    {"percentile", "write approx_quantiles(x, 100)[offset(95)]"},
    {"percentile_cont", "write approx_quantiles(x, 100)[offset(95)]"},
    {"quantile", "write approx_quantiles(x, 100)[offset(95)]"},
    {"group_concat", "write string_agg(x, ',')"},
    {"listagg", "write string_agg(x, ',')"},
    {"collect_list", "write array_agg(x)"},
    {"collect_set", "write array_agg(distinct x)"},
    {"grouparray", "write array_agg(x)"},
    {"uniq", "write count(distinct x), or approx_count_distinct(x)"},
    {"count_distinct", "write count(distinct x)"},
    {"dcount", "write approx_count_distinct(x)"},
    {"ndv", "write approx_count_distinct(x)"},
    {"bool_and", "write logical_and(…)"},
    {"bool_or", "write logical_or(…)"},
    {"count_if", "write countif(…)"},
    {"sum_if", "write sum(x where …)"},
    {"sumif", "write sum(x where …)"},
    {"argmax", "write max_by(x, y)"},
    {"argmin", "write min_by(x, y)"},
    {"latest", "write last(x)"},
    {"earliest", "write first(x)"},
    {"tumble_start", "a window gives the column window_start"},
    {"tumble_end", "a window gives the column window_end"},
    {"tumbling", "write tumble(interval 1 minute)"},
    {"hopping", "write hop(interval 1 hour, interval 5 minute)"},
    {"sliding", "write hop(interval 1 hour, interval 5 minute)"},
    {"session_window", "write session(interval 30 minute)"},
};

static const struct foreign operators[] = {
    {"group", "groups are made by `aggregate … group by …`"},
    {"having", "filter groups by `where` behind `aggregate`"},
    {"qualify", "filter by `where` behind `extend … over (…)`"},
    {"from", "`from` stands at the start of a query"},
    {"window", "write `extend f(…) over (…)`"},
    {"with", "name a part of a query by `create stream NAME as from …;`"},
    {"except", "rows of a stream cannot be subtracted; see `anti join`"},
    {"intersect", "see `semi join`"},
    {"tablesample", "write `sample P percent by EXPR`"},
    {"pivot", "write one aggregate for each value: sum(price where type = 'buy') as bought"},
    {"unpivot", "write `cross join unnest([struct('a' as name, a as value), …]) as item`"},
    {"recursive", "a stream cannot read itself"},
    {"export", "rows leave by `insert into SINK`"},
    {"create", "rows leave by `insert into SINK`; create stream NAME as … names a query"},
    {"if", "write `where`, or `fork (where …), (where not …)`"},
    {"outer", "write `left join`, `right join` or `full join`"},
    {"filter", "write `where`"},
    {"project", "write `select`"},
    {"map", "write `select` or `extend`"},
    {"mutate", "write `extend` or `set`"},
    {"add", "write `extend`"},
    {"derive", "write `extend`"},
    {"summarize", "write `aggregate … group by …`"},
    {"summarise", "write `aggregate … group by …`"},
    {"group_by", "write `aggregate … group by …`"},
    {"sort", "write `order by`"},
    {"take", "write `limit`, or `top N by …` in a window"},
    {"head", "write `limit`, or `top N by …` in a window"},
    {"dedup", "write `deduplicate by … within interval 1 hour`"},
    {"dedupe", "write `deduplicate by … within interval 1 hour`"},
    {"rate_limit", "write `throttle N per day by …`"},
    {"cap", "write `throttle N per day by …`"},
    {"wait", "write `hold until TIMESTAMP`"},
    {"delay", "write `hold until TIMESTAMP`"},
    {"flatten", "write `cross join unnest(…) as item`"},
    {"explode", "write `cross join unnest(…) as item`"},
    {"lookup", "write `left join TABLE using (…)`"},
    {"pattern", "write `sequence by …`, or `match_recognize (…)`"},
    {"sink", "write `insert into SINK`"},
    {"output", "write `insert into SINK`"},
    {"into", "write `insert into SINK`"},
    {"print", "a query without `insert into` prints"},
    {"static_describe", "write `describe`"},
};

static const struct foreign infixes[] = {
    {"ilike", "write lower(…) like '…'"},
    {"rlike", "write regexp_contains(text, pattern)"},
    {"regexp", "write regexp_contains(text, pattern)"},
    {"similar", "write regexp_contains(text, pattern)"},
    {"glob", "write like, with % and _"},
    {"mod", "write mod(a, b)"},
    {"div", "write div(a, b)"},
    {"isnull", "write is null"},
    {"notnull", "write is not null"},
    {"minute", "write interval 5 minute"},
    {"minutes", "write interval 5 minute"},
    {"hour", "write interval 1 hour"},
    {"hours", "write interval 1 hour"},
    {"second", "write interval 5 second"},
    {"seconds", "write interval 5 second"},
    {"day", "write interval 1 day"},
    {"days", "write interval 1 day"},
};

static const char *find(const struct foreign *table, size_t count, struct evs_slice name)
{
    for (size_t i = 0; i < count; i++) {
        if (evs_slice_equal_nocase(name, table[i].name)) {
            return table[i].hint;
        }
    }
    return NULL;
}

const char *evs_foreign_function(struct evs_slice name)
{
    return find(functions, EVS_COUNT(functions), name);
}

const char *evs_foreign_operator(struct evs_slice name)
{
    return find(operators, EVS_COUNT(operators), name);
}

const char *evs_foreign_infix(struct evs_slice word)
{
    return find(infixes, EVS_COUNT(infixes), word);
}
