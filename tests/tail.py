#!/usr/bin/env python3
"""`vitalog tail` in the situations that logs, pipes, disks and users bring about: one a test, named after what must be so.

    tail.py [WORD]...    only the tests with such a word in their names

Runs the release binary (or $VITALOG). Each test has a folder of its own and waits for conditions, with a limit. What the
machine does not allow is said, and fails the whole.
"""
import glob
import json
import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from follower import LONG, ROOT, Skipped, VITALOG  # noqa: E402
from follower import access, contains, each, equal, get, memory_mib, plain, stamp, wait  # noqa: E402

NOBODY = 65534


def outage(seconds_ago=300, length=90, each_second=2):
    """Half a minute of good answers, then only bad ones, until well after; in the past, so that it is judged at once."""
    start = time.time() - seconds_ago
    return "".join(access(each_second, 500 if second >= 30 else 200, at=start + second) for second in range(length))


# Ends and signals


def the_end_of_a_pipe_is_a_last_summary_and_exit_0(folder):
    code, out, err = folder.run("tail", "-", input=access(40).encode())
    equal(0, code, "exit code")
    contains(r"healthy · 40 requests", out, "last summary")
    contains(r"'-': json, time, latency, read from the pipe", err, "introduction")


def alerts_left_firing_at_the_end_of_a_pipe_are_named(folder):
    code, out, err = folder.run("tail", "-", input=outage().encode())
    equal(0, code, "exit code")
    equal(1, len(re.findall("^PAGE.*errors", out, re.M)), f"one page in: {out}")
    contains(r"still firing at the end: PAGE.*errors", err, "standard error")
    contains(r"^\S+Z unhealthy · \d+ requests", out.splitlines()[-1] if "unhealthy" in out.splitlines()[-1] else
             next(line for line in out.splitlines() if "unhealthy" in line), "last summary")


def every_json_line_is_an_object_of_at_most_8_kib_that_names_its_type(folder):
    routes = "".join(access(2, 500 if n % 3 else 200, f"/{'long-' * 60}{n}/{'x' * 200}", at=time.time() - 300 + n // 8)
                     for n in range(600))
    trace = ('Traceback (most recent call last):\n  File "/srv/shop/main.py", line 7, in f\n    g()\n'
             'ValueError: {} \\u001b[31m bad\n')
    code, out, _ = folder.run("tail", "-", "-o", "json", input=(routes + trace.format("x" * 9000) + outage(200)).encode())
    equal(0, code, "exit code")
    kinds = []
    for line in out.splitlines():
        assert len(line.encode()) + 1 <= 8192, len(line)
        assert not re.search(r"[\x00-\x1f\x7f-\x9f]", line), line
        kinds.append(json.loads(line)["type"])
    assert set(kinds) <= {"summary", "alert", "deploy"} and {"summary", "alert"} <= set(kinds), kinds


def sigterm_and_sigint_end_it_in_time_and_a_restart_goes_on_exactly(folder):
    written = 0
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        run = folder.tail("app.log", "--from-start", "--state", "s.db")
        folder.write("app.log", access(500) + access(1)[:40])
        written += 500
        run.counts(written)
        code, seconds = run.stop(number)
        equal(0, code, f"exit code after signal {number}")
        assert seconds < 5, seconds
        # the line that was cut when it ended is finished while it is down
        folder.write("app.log", access(1)[40:] + access(100))
        written += 101
    run = folder.tail("app.log", "--from-start", "--state", "s.db")
    report = run.counts(written)
    equal(written, report["input"]["lines"], "lines")
    equal(0, report["input"]["malformed"], "malformed lines")
    contains("goes on where the last run stopped", run.err, "introduction")


def it_ends_in_time_though_a_webhook_never_answers_and_nobody_reads(folder):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        folder.write("vitalog.toml", f'[[sink]]\nurl = "http://127.0.0.1:{deaf.getsockname()[1]}/"\ntimeout = "60s"\n')
        run = folder.tail("app.log", "--from-start", "--every", "1s", stdout=subprocess.PIPE)
        folder.write("app.log", outage())
        run.counts(180)
        wait(lambda: deaf.accept(), "the webhook is called")
        code, seconds = run.stop()
        run.process.stdout.close()
    equal(0, code, "exit code")
    assert seconds < 5, seconds


# State


def a_second_writer_is_refused_with_exit_4(folder):
    folder.write("app.log", access())
    first = folder.tail("app.log", "--state", "s.db")
    first.says("listening")
    code, _, err = folder.run("tail", "app.log", "--state", "s.db")
    equal(4, code, "exit code")
    contains(rf"process {first.process.pid} is writing it", err, "the holder is named")
    first.kill()
    second = folder.tail("app.log", "--state", "s.db")
    second.says("listening")


def a_newer_state_is_refused_with_exit_4_and_left_alone(folder):
    import gzip
    with gzip.open(os.path.join(ROOT, "tests", "chaos", "newer-state.db.gz")) as packed:
        newer = packed.read()
    folder.write("s.db", newer)
    folder.write("app.log", access())
    code, _, err = folder.run("tail", "app.log", "--state", "s.db")
    equal(4, code, "exit code")
    contains("a newer vitalog wrote it", err, "message")
    assert open(folder.at("s.db"), "rb").read() == newer


def a_damaged_state_is_set_aside_said_and_a_ticket(folder):
    def cut(data):
        return data[:len(data) // 2]

    def zeroed(data):
        return bytes(len(data))

    def flipped(data):
        middle = data.rindex(b"app.log")
        return data[:middle + 60] + bytes([data[middle + 60] ^ 4]) + data[middle + 61:]

    for at, damage in enumerate((cut, zeroed, flipped)):
        log, state = f"{at}/app.log", f"{at}/s.db"
        folder.write(log, access(30))
        run = folder.tail(log, "--from-start", "--state", state)
        run.counts(30)
        run.stop()
        data = open(folder.at(state), "rb").read()
        folder.write(state, damage(data), "w")
        run = folder.tail(log, "--from-start", "--state", state, "-o", "json")
        run.counts(30)
        run.says(r"the state was damaged .* it was set aside as ")
        aside = [name for name in glob.glob(folder.at(state + ".damaged-*")) if not name.endswith(("-wal", "-shm"))]
        equal(1, len(aside), f"{damage.__name__}: files set aside")
        equal(damage(data), open(aside[0], "rb").read(), f"{damage.__name__}: nothing of it is lost")
        code, _, body = run.ready()
        equal(503, code, "/readyz")
        contains("damaged", body, "/readyz")
        tickets = wait(lambda: [json.loads(line) for line in run.out.splitlines() if '"alert"' in line], "a ticket", 15)
        equal([("ticket", "firing")], [(t["severity"], t["state"]) for t in tickets], f"{damage.__name__}: one ticket")
        equal(0, run.stop()[0], "exit code")
        run = folder.tail(log, "--from-start", "--state", state)
        run.counts(30)
        run.says("goes on where the last run stopped")
        assert "damaged" not in run.err, run.err
        run.stop()


def reset_state_begins_anew_and_keeps_the_old_one(folder):
    folder.write("app.log", access(30))
    run = folder.tail("app.log", "--from-start", "--state", "s.db")
    run.counts(30)
    run.stop()
    run = folder.tail("app.log", "--from-start", "--state", "s.db", "--reset-state")
    run.counts(30)
    run.says(r"begins anew; the old one lies in '[^']+'")
    run.stop()
    run = folder.tail("app.log", "--state", "s.db", "--reset-state")
    wait(lambda: run.ready()[0] == 200, "ready")
    run.counts(0)


def a_state_without_room_goes_on_counting_says_so_and_saves_again_when_there_is(folder):
    os.mkdir(folder.at("disk"))
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder.at("disk")], capture_output=True, check=False)
    if made.returncode:
        raise Skipped(f"no small file system can be mounted: {made.stderr.decode().strip()}")
    folder.undo.append(lambda: subprocess.run(["umount", "-l", folder.at("disk")], check=False))
    folder.write("app.log", access(30))
    run = folder.tail("app.log", "--from-start", "--state", "disk/s.db", "--every", "1s")
    run.counts(30)
    wait(lambda: run.ready()[0] == 200, "ready")
    try:
        with open(folder.at("disk/ballast"), "wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(4096))
    except OSError:
        pass
    written = 30

    def unsaved():
        nonlocal written
        folder.write("app.log", access(50))
        written += 50
        return "saving the state" in run.err
    wait(unsaved, "it says that the state is not saved")
    code, _, body = wait(lambda: (found := run.ready())[0] == 503 and found, "/readyz tells it")
    contains("saving the state", body, "/readyz")
    for _ in range(20):
        folder.write("app.log", access(50))
        written += 50
        run.counts(written)
    equal(1, len(re.findall("saving the state", run.err)), "it is said once")
    os.unlink(folder.at("disk/ballast"))
    folder.write("app.log", access(10))
    run.says("the state is saved again")
    wait(lambda: run.ready()[0] == 200, "ready again")
    run.counts(written + 10)
    run.kill()
    run = folder.tail("app.log", "--from-start", "--state", "disk/s.db")
    run.counts(written + 10)


def a_state_in_a_folder_that_cannot_be_written_is_a_clear_error_at_once(folder):
    folder.write("app.log", access())
    code, _, err = folder.run("tail", "app.log", "--state", "nowhere/s.db")
    equal(4, code, "exit code")
    contains(r"^vitalog: .*state '.*nowhere/s.db': .*(make the folder first)", err, "message")
    folder.write("folder/x", "")
    os.chmod(folder.at("folder"), 0o555)
    code, _, err = folder.run("tail", "app.log", "--state", "folder/s.db", user=NOBODY)
    equal(4, code, "exit code")
    contains(r"state '.*': .*[Pp]ermission denied", err, "message")


# Standard output


def a_closed_standard_output_ends_it_quietly_when_nothing_else_listens(folder):
    folder.write("app.log", access(30))
    run = folder.tail("app.log", "--from-start", "--every", "1s", listen=False, stdout=subprocess.PIPE)
    run.process.stdout.readline()
    run.process.stdout.close()

    def ended():
        folder.write("app.log", access(5))
        return run.process.poll() is not None
    wait(ended, "it ends")
    equal(0, run.process.returncode, "exit code")
    assert not re.search("panic|[Bb]roken pipe", run.err), run.err


def a_closed_standard_output_stops_nothing_while_the_server_listens(folder):
    folder.write("app.log", access(30))
    run = folder.tail("app.log", "--from-start", "--every", "1s", stdout=subprocess.PIPE)
    run.process.stdout.close()
    written = 30

    def said():
        nonlocal written
        folder.write("app.log", access(5))
        written += 5
        return "standard output is closed" in run.err
    wait(said, "it says that nobody reads")
    folder.write("app.log", access(5))
    run.counts(written + 5)
    equal(0, run.stop()[0], "exit code")


def a_reader_that_stands_still_stops_no_counting(folder):
    folder.write("app.log", "")
    run = folder.tail("app.log", "--from-start", "--every", "1s", "-o", "json", stdout=subprocess.PIPE)
    before, written = None, 0
    for turn in range(6):
        for route in range(40):
            folder.write("app.log", access(20, path=f"/{'r' * 90}{chr(97 + route % 26)}{route}/{turn}"))
        written += 800
        run.counts(written)
        before = before or memory_mib(run.process.pid, "VmRSS")
    assert memory_mib(run.process.pid, "VmRSS") < before + 16, "memory"
    code, seconds = run.stop()
    run.process.stdout.close()
    equal(0, code, "exit code")
    assert seconds < 5, seconds


# Configuration


def a_good_configuration_is_taken_on_sighup_and_a_bad_one_refused(folder):
    folder.write("vitalog.toml", "[tail]\nevery = '1h'\n")
    folder.write("app.log", access(30))
    run = folder.tail("app.log", "--from-start", "--state", "s.db")
    run.counts(30)
    folder.write("vitalog.toml", "[tail]\nevry = '1s'\n", "w")
    run.process.send_signal(signal.SIGHUP)
    run.says("the configuration is not taken, the old one goes on: .*evry")
    wait(lambda: run.ready()[0] == 503, "/readyz tells it")
    folder.write("app.log", access(30))
    run.counts(60)
    folder.write("vitalog.toml", "[tail]\nevery = '1s'\n[health]\nerrors = ['5xx', '404']\n", "w")
    run.process.send_signal(signal.SIGHUP)
    run.says("the configuration was read again")
    wait(lambda: run.ready()[0] == 200, "/readyz is well again")
    folder.write("app.log", access(10, 404))
    run.counts(70)
    run.shows(r"70 requests|\b10 requests")
    equal(10, run.report()["total"]["errors"], "errors by the new rule")
    equal(0, run.stop()[0], "exit code")


def a_reload_in_the_middle_of_lines_loses_and_doubles_none(folder):
    run = folder.tail("app.log", "--from-start", "--state", "s.db")
    run.says("listening")
    for turn in range(30):
        folder.write("app.log", access(200))
        if turn % 3 == 0:
            run.process.send_signal(signal.SIGHUP)
    run.counts(6000)


# Files


def a_file_that_does_not_exist_is_read_from_its_first_byte_when_it_comes(folder):
    run = folder.tail("late/app.log")
    run.says(r"reading '.*late/app.log': it does not exist yet")
    folder.write("late/app.log", access(25))
    run.counts(25)
    equal(1, len(re.findall("does not exist yet", run.err)), "said once")
    equal(0, run.stop()[0], "exit code")


def a_file_without_permission_is_read_when_it_is_granted(folder):
    if os.getuid() != 0:
        raise Skipped("needs root to be somebody else")
    folder.write("app.log", access(25))
    os.chmod(folder.at("app.log"), 0)
    run = folder.tail("app.log", "--from-start", user=NOBODY)
    run.says(r"reading '.*app.log': permission denied")
    wait(lambda: "permission denied" in run.ready()[2], "/readyz tells it")
    os.chmod(folder.at("app.log"), 0o644)
    run.counts(25)
    wait(lambda: run.ready()[0] == 200, "ready")
    equal(1, len(re.findall("permission denied", run.err)), "said once")
    # taken away while it is open: what is open is read on
    os.chmod(folder.at("app.log"), 0)
    folder.write("app.log", access(5))
    run.counts(30)


def ten_thousand_files_in_a_folder_need_little(folder):
    os.mkdir(folder.at("logs"))
    for number in range(10_000):
        with open(folder.at(f"logs/{number:05}.log"), "w", encoding="utf8") as file:
            file.write(access())
    run = folder.tail("logs", "--state", "s.db")
    wait(lambda: run.get("/readyz")[0] == 200, "ready", 60)
    opened = 0
    for turn in range(3):
        for number in range(turn, 10_000, 500):
            folder.write(f"logs/{number:05}.log", access(2))
        run.counts(40 * (turn + 1), 60)
        opened = max(opened, len(os.listdir(f"/proc/{run.process.pid}/fd")))
    assert opened < 600, f"{opened} files open"
    peak = memory_mib(run.process.pid)
    assert peak < 160, f"{peak:.0f} MiB"
    lines = run.err.count("\n")
    assert lines < 40, f"{lines} lines on standard error"
    code, seconds = run.stop()
    equal(0, code, "exit code")
    assert seconds < 5, seconds
    print(f"10,000 files: peak {peak:.1f} MiB, {opened} files open")


def a_limit_of_open_files_is_lived_with(folder):
    for number in range(200):
        folder.write(f"logs/{number:03}.log", access())
    run = folder.tail("logs", "--from-start", before=["sh", "-c", 'ulimit -n 64; exec "$@"', "sh"])
    run.counts(200, 60)
    for number in range(200):
        folder.write(f"logs/{number:03}.log", access())
    run.counts(400, 60)
    equal(0, run.stop()[0], "exit code")


def where_inotify_refuses_it_looks_by_itself_and_says_so_once(folder):
    inside = "echo 0 > /proc/sys/user/max_inotify_{}; exec \"$@\""
    for what in ("watches", "instances"):
        script = inside.format(what)
        tried = subprocess.run(["unshare", "-Ur", "sh", "-c", script, "sh", "true"], capture_output=True, check=False)
        if tried.returncode:
            raise Skipped(f"no user namespace with a limit of its own: {tried.stderr.decode().strip()}")
        log = f"{what}.log"
        folder.write(log, access(5))
        run = folder.tail(log, "--from-start", before=["unshare", "-Ur", "sh", "-c", script, "sh"])
        run.counts(5)
        folder.write(log, access(5))
        run.counts(10, 5)
        os.rename(folder.at(log), folder.at(log + ".1"))
        folder.write(log, access(5))
        run.counts(15)
        equal(1, len(re.findall("looking once a second instead", run.err)), f"{what}: one message in: {run.err}")
        equal(0, run.stop()[0], "exit code")


def new_files_in_folders_and_globs_are_found(folder):
    folder.write("logs/one.log", access(3))
    folder.write("more/a.txt", access(3))
    run = folder.tail("logs", folder.at("more/*.txt"), "--from-start")
    run.counts(6)
    folder.write("logs/two.log", access(4))
    folder.write("more/b.txt", access(4))
    folder.write("more/b.md", access(4))
    folder.write("logs/.hidden.log", access(4))
    run.counts(14, 5)
    os.link(folder.at("logs/two.log"), folder.at("logs/three.log"))
    folder.write("logs/two.log", access(1))
    run.counts(15)


def a_glob_over_rotated_files_counts_none_twice(folder):
    folder.write("app.log", access(30))
    run = folder.tail(folder.at("app.log*"), "--from-start", "--state", "s.db")
    run.counts(30)
    os.rename(folder.at("app.log"), folder.at("app.log.1"))
    folder.write("app.log", access(20))
    run.counts(50)
    folder.write("app.log.2", folder.read("app.log"))
    folder.write("app.log", access(7, ms=3), "w")
    run.counts(57)
    run.stop()
    run = folder.tail(folder.at("app.log*"), "--from-start", "--state", "s.db")
    run.counts(57)


def a_fifo_is_read_as_a_stream(folder):
    os.mkfifo(folder.at("pipe"))
    run = folder.tail("pipe", listen=False)
    with open(folder.at("pipe"), "w", encoding="utf8") as pipe:
        pipe.write(access(30))
    equal(0, run.ends(), "exit code")
    contains("30 requests", run.out, "last summary")


def since_reads_from_the_start_and_counts_from_then_on(folder):
    now = time.time()
    folder.write("app.log", access(7, at=now - 7200) + access(11, at=now - 600))
    run = folder.tail("app.log", "--since", "1h")
    wait(lambda: run.report()["input"]["lines"] == 18, "all lines are read")
    equal(11, run.report()["total"]["requests"], "requests since then")
    folder.write("app.log", access(5))
    wait(lambda: run.report()["total"]["requests"] == 16, "new ones")


def how_each_log_is_read_is_said_within_a_second(folder):
    for name, text in (("json.log", access(30)), ("few.log", plain(3)), ("empty.log", "")):
        folder.write(name, text)
    begun = time.monotonic()
    run = folder.tail("json.log", "few.log", "empty.log")
    run.says("'json.log': json, time, latency, read from its end")
    run.says("'few.log': uvicorn, no time, no latency, read from its end .*explain --fix few.log")
    run.says("'empty.log': nothing in it yet")
    took = time.monotonic() - begun
    # a second, and what a busy machine takes to start it
    assert took < 2.5, took
    folder.write("empty.log", plain(3))
    run.says("'empty.log': uvicorn")
    run.counts(3)


def nothing_of_what_was_there_is_counted_without_from_start(folder):
    folder.write("app.log", access(30) + access()[:30])
    run = folder.tail("app.log")
    wait(lambda: run.ready()[0] == 200, "ready")
    folder.write("app.log", access()[30:] + access(4))
    wait(lambda: run.requests() >= 4, "new lines")
    # the line that was open at the start is no whole line of ours
    assert run.requests() in (4, 5), run.requests()


# Time


def undated_backlog_is_in_totals_and_in_no_alert(folder):
    folder.write("app.log", plain(500, 500))
    run = folder.tail("app.log", "--from-start", "--every", "1s", "-o", "json")
    report = run.counts(500)
    equal(500, report["total"]["errors"], "errors")
    time_at = time.monotonic()
    folder.write("app.log", plain(3, 200))
    run.counts(503)
    wait(lambda: time.monotonic() - time_at > 3, "some turns")
    equal([], [line for line in run.out.splitlines() if '"alert"' in line], "alerts")
    equal(0, run.report()["input"]["late"], "late lines")
    equal("[]", run.get("/api/alerts")[2].strip(), "/api/alerts")


def undated_backlog_of_a_pipe_is_what_comes_before_its_first_pause(folder):
    folder.write("vitalog.toml", "[tail]\nlateness = '0s'\n")
    run = folder.tail("-", "-o", "json", stdin=subprocess.PIPE)
    run.process.stdin.write(plain(500, 500).encode())
    run.process.stdin.flush()
    run.counts(500)
    counted = time.monotonic()
    wait(lambda: time.monotonic() - counted > 0.5, "a pause: a fifth of a second ends what was there before")
    run.process.stdin.write(plain(30, 500).encode())
    run.process.stdin.close()
    equal(0, run.ends(), "exit code")
    alerts = [json.loads(line) for line in run.out.splitlines() if '"type":"alert"' in line]
    equal([30], [a["evidence"]["requests"] for a in alerts if a["severity"] == "page"][:1], "the page speaks of new lines only")


# Our own output


def our_own_output_in_the_log_that_is_followed_is_skipped(folder):
    folder.write("app.log", access(40) + outage())
    first = folder.run("tail", "-", "-o", "json", input=folder.read("app.log").encode())
    second = folder.run("tail", "-", input=folder.read("app.log").encode())
    folder.write("mixed.log", access(3) + first[1] + second[1] + first[2] + second[2] + access(4))
    code, out, _ = folder.run("analyze", "mixed.log", "-o", "json")
    report = json.loads(out)
    ours = sum(text.count("\n") for text in (*first[1:], *second[1:]))
    found = report["input"]
    equal((7, 0, 0, 0, ours), tuple(found[k] for k in ("requests", "malformed", "traceback", "lifecycle", "message")), "lines")
    equal([], report["exceptions"], "exceptions")


def following_its_own_output_is_no_loop(folder):
    folder.write("app.log", outage() + access(40))
    with open(folder.at("app.log"), "ab") as log:
        run = folder.tail("app.log", "--from-start", "--every", "1s", stdout=log, stderr=log)
        # listening is said into the log too
        run.err_name = folder.at("app.log")
        run.counts(220)
        wait(lambda: re.search(r"Z \w+ . \d+ requests", folder.read("app.log")), "a summary")
        since, size = time.monotonic(), 0

        def still():
            nonlocal since, size
            now = os.path.getsize(folder.at("app.log"))
            since, size = (since, size) if now == size else (time.monotonic(), now)
            return time.monotonic() - since > 4
        wait(still, "nothing is written while nobody else writes")
        folder.write("app.log", access(3))
        run.counts(223)
        wait(lambda: re.search(r"Z \w+ . 3 requests", folder.read("app.log")), "a summary of the others' lines")
    report = run.report()
    equal((0, 0, 0), tuple(report["input"][k] for k in ("malformed", "traceback", "lifecycle")), "kinds of lines")


# journald

JOURNAL = r'''#!/usr/bin/env python3
import json, os, sys, time
with open("asked", "a") as asked:
    asked.write(" ".join(sys.argv[1:]) + "\n")
after = next((int(a.split("=")[1]) for a in sys.argv if a.startswith("--after-cursor=")), None)
start = after + 1 if after is not None else 0 if "--no-tail" in sys.argv else int(open("entries").read())
while True:
    end = int(open("entries").read() or 0)
    for n in range(start, end):
        message = '127.0.0.1:5 - "GET /items HTTP/1.1" 200'
        print(json.dumps({"__CURSOR": str(n), "__REALTIME_TIMESTAMP": str(int(time.time() * 1e6)), "_PID": "7",
                          "_SYSTEMD_UNIT": "shop.service", "MESSAGE": "INFO:     " + message}), flush=True)
    start = max(start, end)
    if os.path.exists("crash"):
        os.unlink("crash")
        sys.exit(1)
    time.sleep(0.02)
'''


def a_unit_of_the_journal_goes_on_from_the_cursor_in_the_state(folder):
    folder.write("bin/journalctl", JOURNAL)
    os.chmod(folder.at("bin/journalctl"), 0o755)
    env = {"PATH": folder.at("bin") + ":" + os.environ["PATH"]}

    def entries(n):
        folder.write("entries.new", str(n), "w")
        os.replace(folder.at("entries.new"), folder.at("entries"))
    entries(50)
    run = folder.tail("journal:shop.service", "--from-start", "--state", "s.db", env=env)
    report = run.counts(50)
    equal("shop.service", report["services"][0]["service"].replace("shop", "shop.service").replace(".service.service", ".service"),
          "service")
    entries(80)
    run.counts(80)
    time.sleep(0)
    wait(lambda: run.get("/readyz")[0] == 200, "ready")
    equal(0, run.stop()[0], "exit code")
    entries(120)
    run = folder.tail("journal:shop.service", "--from-start", "--state", "s.db", env=env)
    run.counts(120)
    contains("--after-cursor=79", folder.read("asked"), "journalctl is asked from the cursor on")
    # journalctl that ends is started again, from the newest cursor
    folder.write("crash", "")
    wait(lambda: not os.path.exists(folder.at("crash")), "journalctl ends")
    entries(130)
    run.counts(130)
    contains("--after-cursor=119", folder.read("asked"), "journalctl is asked from the cursor on")
    before = subprocess.run(["pgrep", "-P", str(run.process.pid)], capture_output=True, check=False).stdout.split()
    equal(1, len(before), "journalctl runs once")
    equal(0, run.stop()[0], "exit code")
    assert not os.path.exists(f"/proc/{before[0].decode()}"), "journalctl is left running"


def a_journal_without_journalctl_is_said_once(folder):
    run = folder.tail("journal:shop", env={"PATH": folder.at("nothing")})
    run.says("journalctl")
    wait(lambda: run.ready()[0] == 503, "/readyz tells it")
    equal(1, run.err.count("running journalctl"), f"said once: {run.err}")


# Mutes


def a_mute_is_seen_within_five_seconds(folder):
    folder.write("vitalog.toml", "[tail]\nlateness = '0s'\n[[rule]]\nname = 'slow'\nwhen = 'p50 > 1s over 10s'\nseverity = 'ticket'\n")
    folder.write("app.log", access(5))
    run = folder.tail("app.log", "--state", "s.db", "-o", "json")
    run.says("listening")
    wait(lambda: run.ready()[0] == 200, "ready")
    code, out, err = folder.run("mute", "--state", "s.db", "--rule", "slow", "--for", "2h", "--reason", "known")
    equal((0, ""), (code, err), "mute")
    contains(r"mute 1: rule slow, until .* \(known\)", out, "mute")
    contains("1  rule slow", folder.run("mute", "--state", "s.db", "--list")[1], "list")
    begun = time.monotonic()
    start = time.time()
    stop = threading.Event()

    def slow():
        while not stop.is_set():
            folder.write("app.log", access(10, ms=3000))
            stop.wait(0.2)
    writer = threading.Thread(target=slow)
    writer.start()
    try:
        wait(lambda: time.monotonic() - begun > 8, "eight seconds of slow answers")
        equal(0, run.out.count('"rule":"slow"'), "alerts while it is muted")
        equal(0, folder.run("mute", "--state", "s.db", "--remove", "1")[0], "remove")
        removed = time.monotonic()
        wait(lambda: run.out.count('"rule":"slow"') == 1, "the alert that was muted is told")
        assert time.monotonic() - removed < 5, time.monotonic() - removed
    finally:
        stop.set()
        writer.join()
    assert start


def mute_needs_a_state_a_length_and_a_known_number(folder):
    folder.write("app.log", access(5))
    run = folder.tail("app.log", "--state", "s.db")
    wait(lambda: run.ready()[0] == 200, "ready")
    for arguments, message in (
        (("--for", "2h"), "--state"),
        (("--state", "s.db"), "--for"),
        (("--state", "s.db", "--for", "2"), "unit"),
        (("--state", "s.db", "--remove", "9"), "there is no mute 9"),
    ):
        code, _, err = folder.run("mute", *arguments)
        equal(2, code, f"exit code of mute {arguments}")
        contains(message, err, f"mute {arguments}")
    equal((0, "nothing is muted\n"), folder.run("mute", "--state", "s.db", "--list")[:2], "list")


# The server


def only_known_hosts_are_answered(folder):
    folder.write("vitalog.toml", "[tail]\nhosts = ['logs.example.com']\n")
    folder.write("app.log", access(5))
    run = folder.tail("app.log")
    for host, expected in (("evil.example", 421), ("127.0.0.1:1", 200), ("localhost", 200), ("[::1]:9", 200),
                           ("logs.example.com", 200), ("localhost.evil.example", 421)):
        equal(expected, run.get("/healthz", headers={"Host": host})[0], host)


def a_port_that_is_taken_is_exit_2(folder):
    folder.write("app.log", access(5))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = folder.run("tail", "app.log", "--listen", f"127.0.0.1:{port}")
    equal(2, code, "exit code")
    contains(str(port), err, "the address is named")


def it_listens_on_loopback_only(folder):
    folder.write("app.log", access(5))
    run = folder.tail("app.log", "--listen", "0", listen=False)
    contains(r"^http://(127\.0\.0\.1|\[::1\]):\d+$", run.url, "address")


def slow_clients_hold_up_neither_reading_nor_others(folder):
    folder.write("app.log", access(5))
    run = folder.tail("app.log", "--from-start")
    run.counts(5)
    port = int(run.url.rsplit(":", 1)[1])
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
    for n, one in enumerate(slow):
        one.sendall(b"GET /metrics HTTP/1.1\r\nHost: local" if n % 2 else b"")
    folder.write("app.log", access(500))
    run.counts(505, 5)
    # who says nothing is cut off
    for one in slow:
        one.settimeout(LONG)
        while one.recv(65536):
            pass
        one.close()
    run.counts(505)


def metrics_are_prometheus_text_and_their_sums_are_right(folder):
    from prometheus_client.parser import text_string_to_metric_families as parse
    names = [f"/{a}{b}x" for a in "abcdefghijklm" for b in "abcdefghijkl"][:150]
    folder.write("vitalog.toml", f"[routes]\ntemplates = {[name + '/{id}' for name in names]}\n")
    folder.write("app.log", "".join(access(n % 7 + 1, 500 if n % 10 == 0 else 200, f'{name}/"\\{n}', ms=n)
                                    for n, name in enumerate(names)))
    run = folder.tail("app.log", "--from-start", "--state", "s.db", "--service", "shop")
    total = sum(n % 7 + 1 for n in range(150))
    run.counts(total)

    def families():
        return {family.name: family for family in parse(run.metrics())}
    wait(lambda: sum(s.value for s in families()["vitalog_requests"].samples) == total, "metrics show all requests")
    found = families()
    for name in ("http_server_request_duration_seconds", "vitalog_requests", "vitalog_input_lines", "vitalog_input_lag_bytes",
                 "vitalog_build_info", "vitalog_restarts"):
        assert name in found, (name, sorted(found))
    equal({"shop"}, {s.labels.get("service") for s in found["vitalog_requests"].samples}, "service")
    duration = found["http_server_request_duration_seconds"].samples
    equal(total, sum(s.value for s in duration if s.name.endswith("_count")), "timed requests")
    routes = {s.labels["http_route"] for s in found["vitalog_requests"].samples}
    assert "(other)" in routes and len(routes) <= 101, len(routes)
    by_route = {}
    for sample in duration:
        if sample.name.endswith("_bucket"):
            by_route.setdefault((sample.labels["http_request_method"], sample.labels["http_route"]), []).append(
                (float(sample.labels["le"]), sample.value))
    for key, buckets in by_route.items():
        values = [value for _, value in sorted(buckets)]
        equal(sorted(values), values, f"buckets of {key} grow")
        equal(float("inf"), max(buckets)[0], f"last bucket of {key}")
    equal(total, sum(s.value for s in found["vitalog_input_lines"].samples if s.labels["kind"] == "request"), "lines")


def no_counter_falls_over_a_restart(folder):
    from prometheus_client.parser import text_string_to_metric_families as parse

    def counters(run):
        return {(s.name, tuple(sorted(s.labels.items()))): s.value
                for family in parse(run.metrics()) if family.type in ("counter", "histogram") for s in family.samples}
    before = {}
    for turn in range(4):
        run = folder.tail("app.log", "--from-start", "--state", "s.db")
        if before:
            wait(lambda: counters(run), "metrics")
            now = counters(run)
            fallen = {key: (value, now.get(key)) for key, value in before.items() if now.get(key, -1) < value}
            equal({}, fallen, "fallen counters")
        folder.write("app.log", "".join(access(20, path=f"/x{n}y/{turn}", ms=n) for n in range(30)))
        run.counts(600 * (turn + 1))
        total = 600 * (turn + 1)
        wait(lambda: sum(v for (name, _), v in counters(run).items() if name == "vitalog_requests_total") == total, "metrics")
        # what is shown has been saved a second later at most
        shown = time.monotonic()
        wait(lambda: time.monotonic() - shown > 1.2, "a turn")
        before = counters(run)
        run.kill()


def the_report_of_a_span_and_of_everything_agree(folder):
    folder.write("app.log", access(30) + access(5, 500))
    run = folder.tail("app.log", "--from-start", "--state", "s.db")
    run.counts(35)
    wait(lambda: json.loads(run.get("/api/report?since=15m")[2])["total"]["requests"] == 35, "the span holds all")
    code, out, err = folder.run("analyze", "--state", "s.db", "--since", "15m", "-o", "json")
    equal(0, code, f"analyze --state: {err}")
    equal((35, 5), tuple(json.loads(out)["total"][k] for k in ("requests", "errors")), "what analyze reads beside it")
    equal(400, run.get("/api/report?since=soon")[0], "no span")


# A real server


def a_real_uvicorn_under_load_is_counted_as_its_client_counted(folder):
    import shop as held_against
    for server in ("default", "json"):
        arguments = (f"{server}/shop.log", "--from-start", "--state", f"{server}.db",
                     "--openapi", os.path.join(ROOT, "samples", "shop", "openapi.json"))
        run = folder.tail(*arguments)
        driven = {}
        load = threading.Thread(target=lambda: driven.update(held_against.shop.run(server, 600, 7, folder.at(server))[1]))
        load.start()
        for seen in (50, 200, 400):
            try:
                wait(lambda: run.requests() >= seen or not load.is_alive(), f"{seen} requests")
            finally:
                run.kill()
            run = folder.tail(*arguments)
        load.join()
        expected = sum(driven["status"].values())
        wait(lambda: sum(held_against.statuses(run.report()).values()) >= expected, f"{expected} requests")
        found = run.report()
        equal(driven["status"], held_against.statuses(found), f"{server}: statuses")
        equal(driven["probes"], found["input"]["probes"], f"{server}: probes")
        read = found["input"]
        equal(read["lines"], sum(read[k] for k in ("requests", "companion", "lifecycle", "traceback", "message", "malformed")),
              f"{server}: lines")
        held_against.results.clear()
        held_against.compare(server, found, driven)
        assert all(held_against.results), f"{server}: routes differ"
        equal(0, run.stop()[0], "exit code")


# Names and secrets


def nothing_secret_and_no_control_byte_reaches_any_output(folder):
    evil = "\\u001b]0;owned\\u0007\\u009b2J"
    lines = "".join(
        json.dumps({"time": stamp(time.time() - 120 + n), "method": "GET", "path": f"/a{n % 3}?token=CANARY-q", "status": 500,
                    "client": "203.0.113.77", "user": "CANARY-user", "duration_ms": 3}) + "\n" for n in range(60))
    lines += f'{{"level":"ERROR","message":"{evil} CANARY"}}\n' + "\x1b[2J\x9b31m raw\x07 text\n"
    folder.write("app.log", lines.encode("latin-1"))
    run = folder.tail("app.log", "--from-start", "--every", "1s", "--state", "s.db")
    run.counts(60)
    run.shows("requests")
    pages = [run.get(path)[2] for path in ("/api/report", "/api/alerts", "/metrics", "/readyz")]
    run.stop()
    for text in [*pages, run.out, run.err]:
        assert "CANARY" not in text and "203.0.113.77" not in text, text[:500]
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", text), repr(text[:500])


def files_it_writes_are_private(folder):
    folder.write("app.log", access(5))
    run = folder.tail("app.log", "--from-start", "--state", "s.db")
    run.counts(5)
    wait(lambda: os.path.exists(folder.at("s.db")), "the state")
    for name in glob.glob(folder.at("s.db*")):
        equal("0o600", oct(stat.S_IMODE(os.stat(name).st_mode)), name)
    connection = sqlite3.connect(folder.at("s.db"))
    connection.close()


if __name__ == "__main__":
    sys.exit(each("tail", globals(), sys.argv[1:]))
