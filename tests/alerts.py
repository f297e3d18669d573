#!/usr/bin/env python3
"""Alerts of a running `vitalog tail` through a webhook that answers as it is told, is down, or is there when it is killed.

    alerts.py [WORD]...    only the tests with such a word in their names

Runs the release binary (or $VITALOG). Logs carry their own times, in the past, so that nothing waits for a clock.
"""
import base64
import hashlib
import hmac
import http.server
import json
import os
import random
import re
import socket
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from follower import access, contains, each, equal, wait  # noqa: E402

# The contract's keys, in its order.
KEYS = ("schema id fingerprint state service instance rule severity route signal value threshold window_s started_at fired_at "
        "resolved_at summary evidence runbook rollback purge mute").split()
EVIDENCE = "requests errors error_rate latency_us exceptions lines deploy budget_left".split()
SECRET = "test-key-of-thirty-two-characters"


class Receiver:
    """Answers `script` first, then 200; keeps what came. `when_called` runs before the answer."""

    def __init__(self, port=0):
        self.seen, self.script, self.when_called = [], [], None
        self.lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with outer.lock:
                    status = outer.script.pop(0) if outer.script else 200
                    outer.seen.append((status, {k.lower(): v for k, v in self.headers.items()}, body))
                if outer.when_called:
                    outer.when_called()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                pass  # who asked may have been killed

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def told(self, state=None):
        """What was accepted, as JSON."""
        with self.lock:
            bodies = [json.loads(body) for status, _, body in self.seen if status == 200]
        # several at once come as one message
        alerts = [alert for body in bodies for alert in body.get("alerts", [body])]
        return [alert for alert in alerts if state is None or alert["state"] == state]


def receiver(folder, port=0):
    made = Receiver(port)
    folder.undo.append(made.stop)
    return made


def configuration(folder, port, more=""):
    folder.write("vitalog.toml", f'''
[health]
rollback = "kubectl rollout undo deploy/shop"
purge = "curl -X PURGE https://cdn.example.com{{path}}"
runbook = "https://runbooks.example.com/shop"
[[sink]]
url = "http://127.0.0.1:{port}/hook/${{HOOK_TOKEN}}"
secret = "${{HMAC_KEY}}"
timeout = "5s"
severities = ["page"]
{more}
''', "w")
    return {"HOOK_TOKEN": "TOKEN-in-the-url", "HMAC_KEY": SECRET}


def span(start, seconds, status, path="/checkout", method="POST", each_second=2):
    return "".join(access(each_second, status, path, method, at=start + n) for n in range(seconds))


def bad_then_good(now):
    """A good minute, two bad ones, then good until it must be over."""
    return span(now, 60, 200) + span(now + 60, 120, 500), span(now + 180, 900, 200)


def follow(folder, env, *more):
    return folder.tail("app.log", "--from-start", "--state", "s.db", "--service", "shop", *more, env=env)


def an_outage_is_one_page_with_all_keys_and_resolves_under_its_id(folder):
    hook = receiver(folder)
    env = configuration(folder, hook.port)
    bad, good = bad_then_good(time.time() - 1500)
    run = follow(folder, env, "-o", "json")
    folder.write("app.log", bad)
    wait(lambda: hook.told("firing"), "the page")
    folder.write("app.log", good)
    wait(lambda: hook.told("resolved"), "its end")
    run.counts(1080 * 2)
    firing, resolved = hook.told("firing"), hook.told("resolved")
    equal(1, len({alert["id"] for alert in firing}), f"pages: {[a['summary'] for a in firing]}")
    equal({firing[0]["id"]}, {alert["id"] for alert in resolved}, "the id of its end")
    equal({firing[0]["fingerprint"]}, {alert["fingerprint"] for alert in resolved}, "the fingerprint of its end")
    page = firing[0]
    equal(KEYS, list(page), "keys")
    equal(EVIDENCE, list(page["evidence"]), "keys of the evidence")
    equal(("vitalog.alert/1", "shop", "page", "POST /checkout", None),
          tuple(page[k] for k in ("schema", "service", "severity", "route", "resolved_at")), "what it names")
    contains(r"^PAGE shop: \d+.* % errors \(limit 50 %\) since .*, most on POST /checkout$", page["summary"], "summary")
    equal([], page["evidence"]["lines"], "no lines without 'lines = true'")
    assert page["mute"].startswith("vitalog mute --service shop"), page["mute"]
    equal("https://runbooks.example.com/shop", page["runbook"], "runbook")
    equal("curl -X PURGE https://cdn.example.com/checkout", page["purge"], "purge")
    equal(None, page["rollback"], "no rollback without a deploy")
    contains(r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d", resolved[0]["resolved_at"], "resolved_at")
    for _, headers, body in hook.seen:
        signed = b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body))
        key = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
        assert f"v1,{key}" in headers["webhook-signature"].split(" "), headers
    shown = [json.loads(line) for line in run.out.splitlines() if '"type":"alert"' in line]
    equal([(page["id"], "firing"), (page["id"], "resolved")],
          [(a["id"], a["state"]) for a in shown if a["severity"] == "page"], "standard output")
    for text in (run.out, run.err, run.get("/api/alerts")[2], run.get("/api/report")[2]):
        assert "TOKEN-in-the-url" not in text and SECRET not in text, text


def a_receiver_that_was_down_and_failing_gets_all_of_it_in_order(folder):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = configuration(folder, port)
    bad, good = bad_then_good(time.time() - 1500)
    run = follow(folder, env)
    folder.write("app.log", bad)
    run.says(rf"http://127.0.0.1:{port}\b.*(refused|again)", 20)
    equal(0, run.stop()[0], "exit code with a message that waits")
    run = follow(folder, env)
    hook = receiver(folder, port)
    hook.script = [500, 503, 429]
    wait(lambda: hook.told("firing"), "the page is delivered", 60)
    folder.write("app.log", good)
    wait(lambda: hook.told("resolved"), "its end is delivered")
    told = hook.told()
    equal(["firing", "resolved"], [a["state"] for a in told], "order")
    equal(1, len({a["id"] for a in told}), "ids")
    pages = [(headers["webhook-id"], body) for _, headers, body in hook.seen if b'"state":"firing"' in body]
    equal((4, 1), (len(pages), len(set(pages))), "tries of the page, and different ones among them")
    assert "TOKEN-in-the-url" not in run.err and "/hook/" not in run.err, run.err


def an_alert_that_began_and_ended_while_the_receiver_was_down_is_told_once_as_over(folder):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = configuration(folder, port)
    bad, good = bad_then_good(time.time() - 1500)
    run = follow(folder, env, "-o", "json")
    folder.write("app.log", bad)
    page = json.loads(run.shows(r'\{"type":"alert".*"severity":"page".*')[0])
    folder.write("app.log", good)
    run.shows('"state":"resolved"')
    hook = receiver(folder, port)
    wait(lambda: hook.told("resolved"), "its end is delivered", 60)
    equal([(page["id"], page["fired_at"])], [(a["id"], a["fired_at"]) for a in hook.told()], "what is told")


def killed_between_sending_and_saving_it_sends_the_same_id_again(folder):
    hook = receiver(folder)
    env = configuration(folder, hook.port)
    bad, good = bad_then_good(time.time() - 1500)
    folder.write("app.log", bad)
    lives = [follow(folder, env)]
    hook.when_called = lambda: lives[-1].process.kill()
    for _ in range(3):
        known = len(hook.seen)
        wait(lambda: len(hook.seen) > known, "it is sent")
        lives[-1].process.wait()
        lives.append(follow(folder, env))
    hook.when_called = None
    folder.write("app.log", good)
    wait(lambda: hook.told("resolved"), "its end")
    lives[-1].counts(1080 * 2)
    told = hook.told()
    assert sum(a["state"] == "firing" for a in told) >= 3, told
    equal(1, len({a["id"] for a in told}), "ids")
    bodies = {body for _, _, body in hook.seen if b'"state":"firing"' in body}
    equal(1, len(bodies), "every repeat has the same body")


def kills_at_any_moment_tell_what_an_undisturbed_run_tells(folder):
    now = time.time() - 6000
    text = "".join(span(now + 1500 * n, 300, 200) + span(now + 1500 * n + 300, 100 + 10 * n, 500, f"/part{n}")
                   + span(now + 1500 * n + 400 + 10 * n, 1100 - 10 * n, 200) for n in range(4))
    lines = text.splitlines(True)
    folder.write("whole.log", text)
    whole = receiver(folder)
    env = configuration(folder, whole.port)
    calm = folder.tail("whole.log", "--from-start", "--service", "shop", "--state", "whole.db", env=env)
    calm.counts(len(lines))
    wait(lambda: len({a["id"] for a in whole.told("resolved")}) >= 4, "four outages and their ends")
    wanted = {a["id"] for a in whole.told()}
    calm.stop()
    hook = receiver(folder)
    env = configuration(folder, hook.port)
    chance = random.Random(5)
    for at in range(0, len(lines), len(lines) // 12 + 1):
        run = follow(folder, env)
        folder.write("app.log", "".join(lines[at:at + len(lines) // 12 + 1]))
        moment = time.monotonic() + chance.uniform(0.05, 2.0)
        wait(lambda: time.monotonic() > moment, "some moment")
        run.kill()
    run = follow(folder, env)
    run.counts(len(lines))
    wait(lambda: {a["id"] for a in hook.told("resolved")} >= wanted, "the end of each is told")
    equal(wanted, {a["id"] for a in hook.told()}, "ids")
    for one in {a["id"] for a in hook.told()}:
        states = [a["state"] for a in hook.told() if a["id"] == one]
        equal(sorted(states), states, f"{one}: nothing fires again once it is resolved")


def a_page_that_lasts_is_repeated_under_its_id(folder):
    hook = receiver(folder)
    env = configuration(folder, hook.port, '[tail]\nrepeat_every = "10m"\n')
    now = time.time() - 4000
    run = follow(folder, env, "-o", "json")
    folder.write("app.log", span(now, 60, 200) + span(now + 60, 120, 500))
    for turn in range(3):
        wait(lambda: len(hook.told("firing")) > turn, "it is told")
        told_at = time.monotonic()
        wait(lambda: time.monotonic() - told_at > 1.5, "a turn, in which its arrival is noted")
        folder.write("app.log", span(now + 180 + 700 * turn, 700, 500))
    wait(lambda: len(hook.told("firing")) > 3, "it is told")
    run.counts(4560)
    equal(1, len({a["id"] for a in hook.told("firing")}), "ids")


def a_refusal_is_final_and_said_without_the_address(folder):
    hook = receiver(folder)
    hook.script = [403] * 10
    env = configuration(folder, hook.port)
    bad, _ = bad_then_good(time.time() - 1500)
    folder.write("app.log", bad)
    run = follow(folder, env)
    run.says("403")
    since = time.monotonic()
    wait(lambda: time.monotonic() - since > 3, "some turns")
    equal(1, len(hook.seen), "tries")
    assert "TOKEN-in-the-url" not in run.err, run.err


def a_short_disturbance_of_few_requests_pages_nobody(folder):
    hook = receiver(folder)
    env = configuration(folder, hook.port)
    now = time.time() - 4000
    folder.write("app.log", span(now, 1800, 200, each_second=1) + span(now + 1800, 3, 500, each_second=1)
                 + span(now + 1803, 1200, 200, each_second=1))
    run = follow(folder, env)
    run.counts(3003)
    since = time.monotonic()
    wait(lambda: time.monotonic() - since > 2, "two turns")
    equal([], hook.told(), "pages")
    assert not re.search("^PAGE", run.out, re.M), run.out


if __name__ == "__main__":
    sys.exit(each("alerts", globals(), sys.argv[1:]))
