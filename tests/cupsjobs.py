# cupsjobs.py - what CUPS may do to a job: order it, stop it, start it again, queue it twice. See check-cups.py.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import shutil
import signal

from cupsshop import N, check, interrupt, whole

# ---- what an order may ask for ----

def check_copies(s):
    before = s.good()
    job = s.lp(s.batch("COPIES", 2), "-n", "2")
    state = s.cups.wait_job(job)
    s.compare("lp -n 2: two cards a record, each with a chip of its own", job, whole(2, (1, 2)), before)
    check("the job with copies completed", state == "completed", state)


def check_ranges(s):
    before = s.good()
    job = s.lp(s.batch("RANGES", 6), "-o", "page-ranges=2-3,5")
    s.cups.wait_job(job)
    s.compare("page-ranges are ranges of cards", job, whole(1, (2, 3, 5)), before)
    before = s.good()
    job = s.lp(s.batch("RANGES-P", 6), "-P", "1,6")
    s.cups.wait_job(job)
    s.compare("lp -P is a range of cards too", job, whole(1, (1, 6)), before)


def check_banner(s):
    before = s.good()
    job = s.lp(s.batch("BANNER", 2), "-o", "job-sheets=standard,standard")
    state = s.cups.wait_job(job)
    s.compare("a banner makes no card", job, whole(1, (1, 2)), before)
    check("a job with a banner completes", state == "completed", state)


def check_files(s):
    before = s.good()
    job = s.lp([s.batch("FILE-A", 2), s.batch("FILE-B", 3)])
    state = s.cups.wait_job(job)
    done = [c for c in s.cups.cards() if c["state"] == "done"]
    jobs = [j for j in s.cups.cardspool_json("job", "list")["jobs"] if j["cups_id"] == job]
    made = {j["order"]: sum(c["job"] == j["uuid"] for c in done) for j in jobs}
    check("two files in one lp: both batches are made, each under its own order",
          state == "completed" and made == {"FILE-A": 2, "FILE-B": 3} and s.good() - before == 5,
          (state, made, s.good() - before, s.cups.printer()))
    s.cups.run("lp", "-i", str(job), "-H", "restart")
    s.cups.wait(lambda: s.cups.job_state(job) in ("pending", "processing"), 2)
    state = s.cups.wait_job(job)
    check("the job with two files again: nothing is made twice", (state, s.good() - before) == ("completed", 5),
          (state, s.good() - before))
    s.compare("machine and ledger agree about the two files")


def check_personal(s):
    title = "Zhang-San-110101199003071233"
    folder = os.path.join(s.work, title)
    os.makedirs(folder, exist_ok=True)
    batch = os.path.join(folder, "Li-Si-330106198807260012.cards")
    shutil.copyfile(s.batch("PERSONAL", 1), batch)
    job = s.lp(batch, "-t", title, "-o", "phone=13800138000")
    s.cups.wait_job(job)
    leaks = []
    for base in ("log", "ledger", "run"):
        for name in os.listdir(s.cups.path(base)):
            if name == "page_log":  # CUPS' own: what it holds is PageLogFormat's matter
                continue
            with open(s.cups.path(base, name), "rb") as f:
                content = f.read()
            leaks += [name for secret in (title, "Li-Si-330106198807260012", "13800138000")
                      if secret.encode() in content]
    check("title, file name and options of a job are in no log and not in the ledger", not leaks, leaks)


# ---- stopped, started again ----

def check_restart(s):
    before = s.good()
    job = s.lp(s.batch("RESTART", 3))
    s.cups.wait_job(job)
    s.cups.run("lp", "-i", str(job), "-H", "restart")
    s.cups.wait(lambda: s.cups.job_state(job) in ("pending", "processing"), 2)
    state = s.cups.wait_job(job)
    s.compare("lp -H restart of a completed job makes nothing twice", job, whole(1, (1, 2, 3)), before)
    check("the restarted job completed", state == "completed", state)


def check_cancel(s):
    queued = []

    def cancel(number):
        queued.append(s.lp(s.batch("CANCEL-NEXT", 2)))
        s.cups.run("cancel", str(number))

    job, before = interrupt(s, "CANCEL", cancel)
    state, after = s.cups.wait_job(job), queued[0]
    following = s.cups.wait_job(after)
    states = s.cups.states(job)
    done = [c for c in states if c[2] == "done"]
    check("cancel in the middle: the card inside has a known state, the rest is not made",
          state == "canceled" and 1 <= len(done) < N and {c[2] for c in states} <= {"done", "rejected", "cancelled"},
          (state, states))
    check("after a cancel the next job goes on", following == "completed", following)
    s.compare("machine and ledger agree after the cancel", after, whole(1, (1, 2)))
    s.cups.run("lp", "-i", str(job), "-H", "restart")
    s.cups.wait(lambda: s.cups.job_state(job) in ("pending", "processing"), 2)
    s.cups.wait_job(job)
    s.compare("the cancelled job started again makes the cards that were missing", job, whole(), before + 2)


def check_hold(s):
    job, before = interrupt(s, "HOLD", lambda j: s.cups.run("lp", "-i", str(j), "-H", "hold"))
    state = s.cups.wait_job(job)
    s.cups.wait(lambda: not s.cups.tell("stat")["inside"])
    check("hold in the middle: the job waits, the machine is empty",
          state == "pending-held" and s.good() - before < N and not s.cups.tell("stat")["inside"],
          (state, s.good() - before))
    s.cups.run("lp", "-i", str(job), "-H", "resume")
    s.cups.wait(lambda: s.cups.job_state(job) != "pending-held", 5)
    state = s.cups.wait_job(job)
    s.compare("hold and resume: every card once", job, whole(), before)
    check("the resumed job completed", state == "completed", (state, s.cups.printer()))


def check_disable(s):
    job, before = interrupt(s, "DISABLE", lambda j: s.cups.run("cupsdisable", s.cups.queue))
    state = s.cups.wait_job(job)
    check("cupsdisable in the middle: the job stays first",
          state in ("printer-stopped", "processing-stopped", "pending-held") and s.good() - before < N,
          (state, s.good() - before))
    s.cups.run("cupsenable", s.cups.queue)
    s.cups.wait(lambda: s.cups.job_state(job) == "processing", 5)
    state = s.cups.wait_job(job)
    s.compare("cupsenable: the job goes on, every card once", job, whole(), before)
    check("the job completed after cupsenable", state == "completed", (state, s.cups.printer()))


def cupsd_signal(s, number):
    def act(_job):
        pid = s.cups.cupsd_pid()
        os.kill(pid, number)
        if number != signal.SIGHUP:
            s.cups.wait(lambda: s.cups.cupsd_pid() not in (None, pid))
            s.cups.wait_ready()
    return act


def check_sigterm(s):
    job, before = interrupt(s, "ROTATE", cupsd_signal(s, signal.SIGTERM))
    state = s.cups.wait_job(job)
    s.compare("cupsd stopped and started in the middle (log rotation): every card once", job, whole(), before)
    check("that job completed by itself", state == "completed", (state, s.cups.printer()))


def check_sighup(s):
    job, before = interrupt(s, "HANGUP", cupsd_signal(s, signal.SIGHUP))
    s.cups.wait_ready()
    state = s.cups.wait_job(job)
    s.compare("SIGHUP to cupsd in the middle: every card once", job, whole(), before)
    check("the job went on over SIGHUP", state == "completed", (state, s.cups.printer()))


# ---- more than one queue ----

def fed_order(s, since):
    """The job of each feed after an event number."""
    out = s.cups.cardspool("ledger", "export").stdout
    events = [json.loads(line) for line in out.splitlines()]
    return [e["job"] for e in events if e["seq"] > since and e["kind"] == "card-moved" and e["data"]["to"] == "feeding"]


def last_event(s):
    return int(s.cups.cardspool_json("ledger", "verify")["events"])


def check_queues(s):
    s.cups.add_queue(s.cups.uri, "second")
    before, since = s.good(), last_event(s)
    one = s.lp(s.batch("QUEUE-1", 3))
    two = s.lp(s.batch("QUEUE-2", 3), queue="second")
    states = [s.cups.wait_job(j) for j in (one, two)]
    order = fed_order(s, since)
    turns = 1 + sum(a != b for a, b in zip(order, order[1:]))
    check("two queues on one printer: one job after the other", states == ["completed"] * 2 and turns == 2 and
          len(order) == 6, (states, turns, len(order)))
    s.compare("two queues on one printer: every card once", one, whole(1, (1, 2, 3)))
    check("so many cards came out", s.good() - before == 6, s.good() - before)


def check_class(s):
    """The emulator has one printer, so the other member of the class is one that is not there."""
    absent = s.cups.uri.rsplit("=", 1)[0] + "=NOT-HERE"
    s.cups.add_queue(absent, "absent")
    s.cups.run("lpadmin", "-p", "absent", "-c", "cards")
    s.cups.run("cupsenable", "cards")
    s.cups.run("cupsaccept", "cards")
    before = s.good()
    job = s.lp(s.batch("CLASS", 3), queue="cards")
    s.cups.wait(lambda: s.cups.job_state(job) == "processing", 5)
    told = s.cups.wait(lambda: "connecting-to-device" in s.cups.run("lpstat", "-l", "-p", "absent").stdout, 5)
    check("a member of a class that is not there says so and waits", told and s.cups.job_state(job) == "processing",
          s.cups.run("lpstat", "-l", "-p", "absent").stdout)
    s.cups.run("lpadmin", "-p", s.cups.queue, "-c", "cards")
    s.cups.run("cupsdisable", "absent")
    s.cups.wait(lambda: s.cups.job_state(job) == "pending", 3)
    s.cups.run("cupsenable", s.cups.queue)  # cupsd looks at waiting jobs every 10 s by itself
    state = s.cups.wait_job(job)
    s.compare("the other member takes the job over, every card once", job, whole(1, (1, 2, 3)), before)
    check("the class's job completed", state == "completed", state)
    s.cups.run("lpadmin", "-x", "cards")
    s.cups.run("lpadmin", "-x", "absent")


# ---- the same batch twice ----

def check_repeat(s):
    before, batch = s.good(), s.batch("REPEAT", 2)
    first = s.lp(batch)
    s.cups.wait_job(first)
    uuid = s.cups.cards(first)[0]["job"]
    second = s.lp(batch)
    state = s.cups.wait_job(second)
    message = s.cups.printer().get("printer-state-message", "")
    shown = s.cups.cardspool("job", "show", str(second)).stdout
    check("the same batch again is held before a card is fed", state == "pending-held" and s.good() - before == 2,
          (state, s.good() - before))
    check("the message names order, earlier job and what to do",
          "REPEAT" in message and uuid in message and "cardspool-repeat=" in message, message)
    check("job show names the earlier job", uuid in shown, shown)
    s.cups.run("lp", "-i", str(second), "-o", "cardspool-repeat=yes", "-H", "resume")
    s.cups.wait(lambda: s.cups.job_state(second) != "pending-held", 5)
    state = s.cups.wait_job(second)
    s.compare("cardspool-repeat=yes makes all of it a second time", second, whole(1, (1, 2)), before + 2)
    third = s.lp(batch, "-o", "cardspool-repeat=rest")
    states = state, s.cups.wait_job(third)
    check("cardspool-repeat=rest makes nothing when nothing is missing",
          states == ("completed", "completed") and s.good() - before == 4, (states, s.good() - before))
