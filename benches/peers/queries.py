"""One peer's best query over one file: `queries.py TOOL FILE` prints rows as JSON.

A row is [method, route, requests, 4xx, 5xx, p50, p95, p99], latencies in microseconds or null. The route is the log's own
where it has one, else the path without its query, a UUID written {u} and a number {n}.
"""
import json
import sys

UUID = "/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
COMBINED = r'^\S+ \S+ \S+ \[[^\]]+\] "(\S+) ([^ ?"]+)[^"]*" (\d{3}) \S+ "[^"]*" "[^"]*" (\d+)$'
UVICORN = r'^INFO:     \S+ - "(\S+) ([^ ?"]+)[^"]*" (\d{3}) '
THREADS = 2


def show(rows):
    print(json.dumps(rows))


def of_lists(rows):
    """Rows whose last member is a list of the three percentiles."""
    show([[*row[:5], *(row[5] or [None] * 3)] for row in rows if row[0]])


def duck(sql):
    import duckdb

    connection = duckdb.connect(config={"threads": THREADS})
    of_lists(connection.execute(sql).fetchall())


def duck_route(path):
    return f"regexp_replace(regexp_replace(split_part({path},'?',1),'{UUID}','/{{u}}','g'),'/[0-9]+','/{{n}}','g')"


DUCK_COUNTS = "count(*), count(*) FILTER (s>=400 and s<500), count(*) FILTER (s>=500)"


def duckdb_combined(path, quantile="quantile_disc(us,[.5,.95,.99])"):
    columns = {name: "VARCHAR" for name in ("ip", "x1", "x2", "t", "tz", "req")}
    columns |= {"s": "SMALLINT", "b": "VARCHAR", "ref": "VARCHAR", "ua": "VARCHAR", "us": "BIGINT"}
    duck(f"""select split_part(req,' ',1) m, {duck_route("split_part(req,' ',2)")} r, {DUCK_COUNTS}, {quantile}
        from read_csv('{path}', delim=' ', quote='"', escape='', header=false, auto_detect=false, ignore_errors=true,
        strict_mode=false, null_padding=true, columns={columns}) where us is not null group by 1, 2""")


def duckdb_combined_approx(path):
    duckdb_combined(path, "approx_quantile(us,[.5,.95,.99])")


def duckdb_json(path):
    columns = {"event": "VARCHAR", "method": "VARCHAR", "route": "VARCHAR", "status_code": "SMALLINT", "duration_ms": "DOUBLE"}
    duck(f"""select method, route, {DUCK_COUNTS.replace("s>", "status_code>").replace("s<", "status_code<")},
        [cast(round(q*1000) as bigint) for q in quantile_disc(duration_ms,[.5,.95,.99])]
        from read_json('{path}', format='newline_delimited', ignore_errors=true, columns={columns})
        where event='request' group by 1, 2""")


def duckdb_uvicorn(path):
    duck(f"""with l as (select regexp_extract(l, '{UVICORN}', ['m','p','s']) g from read_csv('{path}', delim='\\0', quote='', escape='',
        header=false, auto_detect=false, columns={{l: 'VARCHAR'}})),
        x as (select g.m m, g.p p, try_cast(g.s as smallint) s from l where g.m<>'')
        select m, {duck_route("p")} r, {DUCK_COUNTS}, null from x group by 1, 2""")


def click(sql):
    import chdb

    answer = json.loads(str(chdb.query(sql + f" settings max_threads={THREADS}, output_format_json_quote_64bit_integers=0, "
                                       "input_format_allow_errors_ratio=0.1, input_format_skip_unknown_fields=1, "
                                       "input_format_null_as_default=1", "JSONCompact")))
    show([[*row[:5], *([round(q) for q in row[5]] if row[5] else [None] * 3)] for row in answer["data"] if row[0]])


def click_route(path):
    return f"replaceRegexpAll(replaceRegexpAll(cutQueryString({path}),'{UUID}','/{{u}}'),'/[0-9]+','/{{n}}')"


CLICK_COUNTS = "count(), countIf(s>=400 and s<500), countIf(s>=500)"


def clickhouse_combined(path):
    click(f"""select substring(t[6],2) m, {click_route("t[7]")} r, {CLICK_COUNTS}, quantilesTDigest(0.5,0.95,0.99)(us) from
        (select splitByChar(' ', line, 10) t, toUInt16OrZero(t[9]) s, toUInt32OrZero(substring(line, length(line) - position(reverse(line),' ') + 2)) us
        from file('{path}','LineAsString','line String')) where s > 0 group by 1, 2""")


def clickhouse_json(path):
    click(f"""select method, route, {CLICK_COUNTS}, arrayMap(x -> x*1000, quantilesTDigest(0.5,0.95,0.99)(duration_ms)) from
        (select method, route, status_code s, duration_ms from file('{path}','JSONEachRow',
        'event String, method String, route String, status_code UInt16, duration_ms Float64') where event='request') group by 1, 2""")


def clickhouse_uvicorn(path):
    click(f"""select substring(t[8],2) m, {click_route("t[9]")} r, {CLICK_COUNTS}, [] from (select splitByChar(' ', line, 12) t,
        toUInt16OrZero(t[11]) s from file('{path}','LineAsString','line String')) where s > 0 and startsWith(t[8],'"') group by 1, 2""")


def polars_show(frame, method, route, status, micros):
    import polars as pl

    answer = frame.group_by(method.alias("m"), route.alias("r")).agg(
        pl.len(), ((status >= 400) & (status < 500)).sum().alias("c4"), (status >= 500).sum().alias("c5"),
        *(micros.quantile(q, "equiprobable").alias(f"q{q}") for q in (0.5, 0.95, 0.99))).collect(engine="streaming")
    show([[*row[:5], *(round(q) for q in row[5:])] for row in answer.rows() if row[0]])


def polars_combined(path):
    import polars as pl

    names = ["ip", "x1", "x2", "t", "tz", "req", "s", "b", "ref", "ua", "us"]
    frame = pl.scan_csv(path, separator=" ", quote_char='"', has_header=False, truncate_ragged_lines=True, ignore_errors=True,
                        schema={n: pl.Int64 if n in ("s", "us") else pl.String for n in names})
    parts = pl.col("req").str.splitn(" ", 3)
    frame = frame.filter(pl.col("us").is_not_null()).select(parts.struct.field("field_0").alias("m"), parts.struct.field("field_1").alias("p"), "s", "us")
    route = pl.col("p").str.splitn("?", 2).struct.field("field_0").str.replace_all(UUID, "/{u}").str.replace_all("/[0-9]+", "/{n}")
    polars_show(frame, pl.col("m"), route, pl.col("s"), pl.col("us"))


def polars_json(path):
    """Refuses a file that holds one line which is no JSON, so `run.py` hands it what `grep '^{'` leaves."""
    import polars as pl

    schema = {"event": pl.String, "method": pl.String, "route": pl.String, "status_code": pl.Int64, "duration_ms": pl.Float64}
    frame = pl.scan_ndjson(path, schema=schema, ignore_errors=True).filter(pl.col("event") == "request")
    polars_show(frame, pl.col("method"), pl.col("route"), pl.col("status_code"), pl.col("duration_ms") * 1000)


def nearest_rank(groups):
    import numpy

    rows = []
    for (method, route), (c4, c5, values) in groups.items():
        quantiles = [None] * 3 if values and values[0] is None else [round(q) for q in numpy.percentile(values, [50, 95, 99], method="inverted_cdf").tolist()]
        rows.append([method, route, len(values), c4, c5, *quantiles])
    show(rows)


def python_lines(path, pattern, timed):
    import re

    match, uuid, number = re.compile(pattern).match, re.compile(UUID), re.compile("/[0-9]+")
    groups = {}
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            found = match(line)
            if not found:
                continue
            method, route, status = found.group(1), number.sub("/{n}", uuid.sub("/{u}", found.group(2))), int(found.group(3))
            group = groups.setdefault((method, route), [0, 0, []])
            if status >= 500:
                group[1] += 1
            elif status >= 400:
                group[0] += 1
            group[2].append(int(found.group(4)) if timed else None)
    nearest_rank(groups)


def python_combined(path):
    python_lines(path, COMBINED, True)


def python_uvicorn(path):
    python_lines(path, UVICORN, False)


def python_json(path):
    from orjson import loads

    groups = {}
    with open(path, "rb") as file:
        for line in file:
            if line[:1] != b"{":
                continue
            record = loads(line)
            if record.get("event") != "request":
                continue
            status = record["status_code"]
            group = groups.setdefault((record["method"], record["route"]), [0, 0, []])
            if status >= 500:
                group[1] += 1
            elif status >= 400:
                group[0] += 1
            group[2].append(record["duration_ms"] * 1000)
    nearest_rank(groups)


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2])
