# Requests, 4xx, 5xx and the sum of the latencies by method and route. `time` is 1 where the last field is a latency.
function template(p,    n, i, part, s) {
  n = split(p, part, "/"); s = ""
  for (i = 2; i <= n; i++) s = s "/" (length(part[i]) == 36 ? "{u}" : part[i])
  gsub(/\/[0-9]+/, "/{n}", s)
  return s
}
$(at) ~ /^"[A-Z]+$/ {
  q = index($(at + 1), "?"); p = q ? substr($(at + 1), 1, q - 1) : $(at + 1)
  key = substr($(at), 2) " " template(p); st = $(at + 3)
  n[key]++
  if (st >= 500) e5[key]++
  else if (st >= 400) e4[key]++
  if (time) sum[key] += $NF
}
END { for (key in n) print key, n[key], e4[key] + 0, e5[key] + 0, sum[key] + 0 }
