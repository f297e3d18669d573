# access_log.py, beside main.py. Start:  APP_VERSION=1.4.2 uvicorn access_log:app --no-access-log
import json, os, sys, time
from datetime import datetime, timezone
from main import app as inner                      # <- where your application is

async def app(scope, receive, send):
    if scope["type"] != "http":
        return await inner(scope, receive, send)
    began, mount, seen = time.perf_counter(), scope.get("root_path", ""), {"status": 500, "bytes": 0}
    async def watched(message):
        if message["type"] == "http.response.start":
            seen["status"] = message["status"]
        await send(message)
        seen["bytes"] += len(message.get("body", b""))
        seen["end"] = time.perf_counter()          # of the last byte so far: background tasks do not count
    try:
        await inner(scope, receive, watched)       # what is raised goes on to the server, which logs it
    finally:
        route, headers, user = scope.get("route"), dict(scope["headers"]), scope.get("user")
        known = getattr(user, "is_authenticated", b"authorization" in headers and seen["status"] != 401)
        template = getattr(route, "path", None) and scope.get("root_path", "").removeprefix(mount) + route.path
        line = {"time": datetime.now(timezone.utc).isoformat(), "method": scope["method"], "route": template,
                "path": scope["path"], "status": seen["status"], "bytes": seen["bytes"], "logged_in": bool(known),
                "duration_ms": round((seen.get("end", time.perf_counter()) - began) * 1000, 3), "version": os.environ.get("APP_VERSION")}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
