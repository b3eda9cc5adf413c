# check-web.py - the workshop page through plain HTTP: who gets in, what is refused, what is signed.
#
# Prints a line per check; exit status 1 when one fails. No browser is needed; check-web-browser.py clicks in one.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import glob
import http.client
import os
import re
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from webclient import PASS, WAIT, Shop, Visitor, run  # noqa: E402

SRC = os.environ.get("srcdir", ".")
failed = 0


def check(what, good, more=""):
    global failed
    failed += not good
    print(f"{'ok' if good else 'not ok'} - {what}{'' if good else ': ' + str(more)[:600]}", flush=True)


def raw(shop, data, wait=WAIT):
    """What the server says to bytes; b"" when it hangs up."""
    with socket.create_connection(("127.0.0.1", shop.port), timeout=wait) as s:
        said = b""
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        while True:
            try:
                piece = s.recv(65536)
            except OSError:
                return said
            if not piece:
                return said
            said += piece


class Slow(threading.Thread):
    """Sends a byte now and then; counts how long the server bears it."""

    def __init__(self, shop):
        super().__init__(daemon=True)
        self.shop, self.cut = shop, False

    def run(self):
        try:
            with socket.create_connection(("127.0.0.1", self.shop.port), timeout=1) as s:
                s.sendall(b"GET / HTTP/1.1\r\nHost: " + self.shop.host.encode() + b"\r\nX: ")
                end = time.monotonic() + WAIT
                while time.monotonic() < end:
                    s.sendall(b"x")
                    try:
                        if s.recv(1000) == b"":
                            self.cut = True
                            return
                    except socket.timeout:
                        pass
        except OSError:
            self.cut = True


def png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes((x * 7 + y) % 256 for x in range(3 * width)) for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def words():
    """Every text that a page says has its Chinese."""
    with open(os.path.join(SRC, "spooler/report-words.c"), encoding="utf-8") as f:
        known = set(re.findall(r'\{"((?:[^"\\]|\\.)*)",', f.read()))
    missing = set()
    for path in glob.glob(os.path.join(SRC, "spooler/web*.c")):
        with open(path, encoding="utf-8") as f:
            text = re.sub(r'"\s*\n\s*"', "", f.read())
        calls = r'(?:html_say\(&?[a-z>-]*html|html_say\(h|say\([a-z>-]*lang|web_page_tell\(q, [A-Z_a-z]+|' \
                r'fact(?:_number)?\(h|web_page_open\(q|form_show\(q|web_state\(h, "[a-z]*")'
        for m in re.finditer(calls + r',\s*"((?:[^"\\]|\\.)+)"', text):
            missing |= {m.group(1)} - known
        # Refusals and tables of words.
        for m in re.finditer(r'return "([A-Z][^"]+\.)"|[?:] "([A-Z][^"]+\.?)"', text):
            missing |= {m.group(1) or m.group(2)} - known
    missing.discard("English")
    check("every text of the pages has its Chinese", not missing, sorted(missing))


def gates(shop):
    """Before anybody is signed in."""
    v = Visitor(shop)
    for path in ("/", "/batches", "/failures", "/record?id=1", "/proof?id=1&part=key", "/photo?id=1&event=1",
                 "/day?day=2026-01-01", "/charts", "/report.pdf"):
        a = v.get(path)
        check(f"{path} wants a session", a.status == 303 and a.headers["Location"].startswith("/sign-in"), a.status)
    a = v.get("/sign-in")
    check("the sign-in page is there", a.status == 200 and 'type="password"' in a.text, a.status)
    for name, want in (("Content-Security-Policy", "default-src 'none'"), ("X-Content-Type-Options", "nosniff"),
                       ("X-Frame-Options", "DENY"), ("Referrer-Policy", "same-origin"), ("Cache-Control", "no-store"),
                       ("Cross-Origin-Opener-Policy", "same-origin")):
        check(f"header {name}", want in (a.headers[name] or ""), a.headers[name])
    csp = a.headers["Content-Security-Policy"]
    check("no inline script or style is allowed", "unsafe" not in csp and "frame-ancestors 'none'" in csp, csp)
    cookies = a.headers.get_all("Set-Cookie", [])
    check("cookies are HttpOnly and SameSite=Strict",
          cookies and all("HttpOnly" in c and "SameSite=Strict" in c for c in cookies), cookies)
    for host in ("evil.example:80", f"evil.example:{shop.port}", "127.0.0.1", "localhost", ""):
        a = v.get("/sign-in", host=host or "x")
        check(f"a foreign Host ({host}) is refused", a.status == 421 and "password" not in a.text, a.status)
    check("localhost with the port is ours", v.get("/sign-in", host=f"localhost:{shop.port}").status == 200)
    said = raw(shop, b"GET /sign-in HTTP/1.1\r\n\r\n")
    check("no Host: refused", said.split(b" ")[1:2] in ([b"400"], [b"421"]), said[:100])

    a = v.get("/record?id=7")
    check("a link to a record is remembered", a.headers["Location"] == "/sign-in?next=/record%3Fid%3D7", a.headers["Location"])
    page = v.get(a.headers["Location"])
    for to, want in (("/record?id=7", "/record?id=7"), ("//evil.example/", "/"), ("https://evil.example/", "/"),
                     ("/\\evil", "/"), ("/x\r\nSet-Cookie: a=b", "/")):
        a = v.post("/sign-in", {"form": page.field("form"), "name": "li", "pass": PASS, "next": to})
        check(f"after signing in one goes on to {want}", a.headers["Location"] == want, a.headers["Location"])
    check("the page carries it", page.field("next") == "/record?id=7", page.field("next"))
    v = Visitor(shop)
    form = v.get("/sign-in").field("form")
    good = {"form": form, "name": "chen", "pass": PASS}
    for what, change in (("without its token", {"form": ""}), ("with another token", {"form": "0" * 64})):
        a = v.post("/sign-in", dict(good, **change))
        check(f"signing in {what} is refused", a.status == 403 and "cardspool=" not in str(a.headers), a.status)
    stranger = Visitor(shop)
    check("a token is of no use without its cookie", stranger.post("/sign-in", good).status == 403)
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        a = v.post("/sign-in", good, headers=headers)
        check(f"a form from elsewhere ({headers}) is refused", a.status == 403, a.status)
    check("an own origin is not", v.post("/sign-in", good, headers={"Origin": f"http://{shop.host}"}).status == 303)

    for path in ("/../etc/passwd", "/..%2f..%2fetc/passwd", "//etc/passwd", "/ledger.db", "/sign-in/",
                 "/style.css/../../x"):
        a = v.get(path)
        check(f"{path} is nothing", a.status in (400, 404) and "root:" not in a.text, a.status)
    check("PUT is refused", v.ask("PUT", "/").status == 405)
    check("TRACE is refused", v.ask("TRACE", "/").status == 405)
    check("GET of a form's target is refused", v.get("/sign").status == 405)
    check("HEAD has no body", v.ask("HEAD", "/sign-in").body == b"")
    check("a form that is too large is refused", v.post("/sign-in", dict(good, x="y" * 20000)).status == 413)
    said = raw(shop, f"POST /sign-in HTTP/1.1\r\nHost: {shop.host}\r\nContent-Length: 99999999999\r\n\r\n".encode())
    check("so is one that only says so", b" 413 " in said[:20], said[:100])
    said = raw(shop, b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\nHost: " + shop.host.encode() + b"\r\n\r\n")
    check("a line that is too long is refused", said[:12] in (b"", b"HTTP/1.1 414", b"HTTP/1.1 431", b"HTTP/1.1 413",
                                                              b"HTTP/1.1 400"), said[:100])
    check("another kind of body is refused",
          v.post("/sign-in", "{}", headers={"Content-Type": "application/json"}).status == 415)
    check("two values under one name are refused",
          v.post("/sign-in", f"form={form}&name=chen&pass=a&pass=b",
                 headers={"Content-Type": "application/x-www-form-urlencoded"}).status == 400)
    for nonsense in (b"\0\0\0\0", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n"):
        said = raw(shop, nonsense)
        check(f"nonsense {nonsense[:8]} gets no page", said == b"" or said[:9] == b"HTTP/1.1 ", said[:60])
    check("and the page is still there", v.get("/sign-in").status == 200)


def looking(shop, v):
    records = shop.records()
    a = v.get("/")
    check("machines are shown", a.status == 200 and "Evolis Dualys 3" in a.text and "60001377" in a.text, a.status)
    check("without CUPS that is said", "CUPS does not answer" in a.text)
    a = v.get("/failures")
    ids = [int(i) for i in re.findall(r'href="/record\?id=(\d+)"', a.text)]
    check("the list has the newest first", ids == sorted((r["id"] for r in records), reverse=True)[:100], ids[:5])
    one = records[-1]
    for query, keep in ((f"code={one['code']}", lambda r: r["code"] == one["code"]),
                        (f"machine={one['serial']}", lambda r: r["serial"] == one["serial"]),
                        (f"order={one['order']}", lambda r: r["order"] == one["order"]),
                        (f"person={one['operator']}", lambda r: r["operator"] == one["operator"]),
                        ("state=reviewed", lambda r: r["review"] != 0),
                        ("state=unreviewed", lambda r: r["review"] == 0), ("order=none", lambda r: False)):
        ids = {int(i) for i in re.findall(r'href="/record\?id=(\d+)"', v.get("/failures?" + query).text)}
        check(f"filter {query}", ids == {r["id"] for r in records if keep(r)}, ids)
    a = v.get("/failures?order=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    check("a hostile query is text", a.status == 200 and "<script>alert" not in a.text, a.status)
    a = v.get(f"/record?id={one['id']}")
    check("a record has its facts", all(t in a.text for t in (one["order"], one["serial"], one["operator"])), a.text)
    check("the holder is masked", "王*" in a.text and not re.search("王[^*]", a.text))
    check("the card's steps are told", "queued" in a.text and "feeding" in a.text)
    for bad in ("", "id=0", "id=-1", "id=99999999", "id=x", "id=1%27%20OR%201=1", "id=" + "9" * 40):
        check(f"no record for {bad[:20]}", v.get("/record?" + bad).status == 404)
    a = v.get("/batches")
    check("batches show their progress", a.status == 200 and "<progress" in a.text)
    a = v.get("/charts")
    check("charts are drawn", a.text.count("<svg") >= 4 and "style=" not in a.text, a.text.count("<svg"))
    check("a period that ends before it begins is said", v.get("/charts?from=2026-02-02&to=2026-01-01").status == 400)
    a = v.get("/charts?from=1999-01-01&to=1999-01-02")
    check("an empty period is a page", a.status == 200 and "There are no failures" in a.text, a.status)
    a = v.get("/report.pdf")
    check("the report is a PDF", a.body[:5] == b"%PDF-" and a.headers["Content-Type"] == "application/pdf")
    pages = "".join(v.get(p).text for p in ("/", "/failures", "/charts", "/batches", f"/record?id={one['id']}"))
    outside = re.findall(r'(?:src|href|action)="(?!/|#)[^"]*"', pages)
    check("nothing is loaded from outside", not outside and "http-equiv" in pages, outside)
    check("no handler or style stands in a mark", not re.search(r"<[^>]* (on[a-z]+|style)=", pages))

    zh = Visitor(shop, "zh-CN,zh;q=0.9,en;q=0.5")
    zh.cookies = dict(v.cookies)
    a = zh.get("/failures")
    check("Chinese by the browser's wish", 'lang="zh-CN"' in a.text and "故障" in a.text)
    a = zh.get("/failures?state=open&lang=en")
    check("English by choice, which is kept",
          'lang="en"' in a.text and 'lang="en"' in zh.get("/").text and "state=open" in a.text)
    check("another language gets English", 'lang="en"' in Visitor(shop, "fr-FR, de;q=0.5").get("/sign-in").text)
    check("the second wish counts", 'lang="zh-CN"' in Visitor(shop, "fr-FR, zh;q=0.5").get("/sign-in").text)


def signing(shop, v, folder):
    waiting = [r for r in shop.records("--state", "unreviewed") if r["cleared"]]
    one = waiting[0]
    page = v.get(f"/record?id={one['id']}")
    form = page.field("form")
    good = {"form": form, "ids": str(one["id"]), "pass": PASS}
    for what, change in (("without its token", {"form": ""}), ("with a visitor's token", {"form": "0" * 64})):
        a = v.post("/sign", dict(good, **change))
        check(f"signing {what} is refused", a.status == 403, a.status)
    check("signing from another site is refused", v.post("/sign", good, headers={"Origin": "https://e.vil"}).status == 403)
    for ids in ("", "x", "1,,2", "0", "1;2", "9" * 30, f"{one['id']},x"):
        check(f"ids {ids[:12]!r} are refused", v.post("/sign", dict(good, ids=ids)).status in (400, 409))
    a = v.post("/sign", dict(good, **{"pass": "wrong horse"}))
    check("a wrong passphrase signs nothing", a.status == 403 and "Nothing was signed" in a.text, a.status)

    # What somebody found, with a photo.
    picture = png(64, 48)
    a = v.upload("/note", {"form": form, "id": one["id"], "cause": "dust <b>", "note": "wiped"}, "../../p h.png", picture)
    check("a note with a photo is added", a.status == 303, (a.status, a.text))
    page = v.get(f"/record?id={one['id']}")
    link = re.search(r'src="(/photo\?[^"]+)"', page.text)
    check("the note is text", "dust &lt;b&gt;" in page.text and link)
    got = v.get(link.group(1).replace("&amp;", "&"))
    check("the photo comes back", got.body == picture and got.headers["Content-Type"] == "image/png", got.status)
    a = v.upload("/note", {"form": form, "id": one["id"]}, "x.html", b"<script>alert(1)</script>")
    check("what is no picture is refused", a.status == 415, a.status)
    a = v.upload("/note", {"form": form, "id": one["id"]}, "x.png", picture + b"\0" * (9 * 1024 * 1024))
    check("a photo that is too large is refused", a.status == 413, a.status)
    a = v.upload("/note", {"form": "", "id": one["id"]}, "x.png", picture)
    check("a photo without the token is refused", a.status == 403, a.status)
    check("an empty note is refused", v.upload("/note", {"form": form, "id": one["id"]}, "", b"").status == 400)
    left = glob.glob("/tmp/cardspool-photo.*")
    check("no photo is left in the temporary folder", not [p for p in left if os.stat(p).st_ctime > started], left)

    a = v.post("/sign", good)
    check("a reviewer signs", a.status == 303 and "said=signed" in a.headers["Location"], (a.status, a.text))
    a = v.get(a.headers["Location"])
    check("the record shows it", "stands in the ledger" in a.text and "was checked just now and fits" in a.text)
    check("a second signature is refused", v.post("/sign", good).status == 409)
    check("a note after it is refused", v.upload("/note", {"form": form, "id": one["id"], "note": "x"}, "", b"").status == 409)

    # The proof, by openssl alone.
    proof = os.path.join(folder, "proof")
    os.mkdir(proof)
    names = {}
    for part in ("text", "signature", "key"):
        a = v.get(f"/proof?id={one['id']}&part={part}")
        names[part] = re.search(r'filename="([^"]+)"', a.headers["Content-Disposition"]).group(1)
        with open(os.path.join(proof, names[part]), "wb") as f:
            f.write(a.body)
    verify = ("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", names["key"], "-rawin", "-in", names["text"],
              "-sigfile", names["signature"])
    done = run(*verify, cwd=proof)
    check("openssl verifies what the page gave", done.returncode == 0, done.stdout + done.stderr)
    with open(os.path.join(proof, names["text"]), "ab") as f:
        f.write(b"\n")
    check("and refuses a changed text", run(*verify, cwd=proof).returncode != 0)
    for command in (("failure", "verify"), ("ledger", "verify")):
        done = shop.cs(*command)
        check(" ".join(command) + " holds", done.returncode == 0, done.stdout + done.stderr)

    # A day's list.
    day = time.strftime("%Y-%m-%d", time.localtime(waiting[-1]["at"] / 1000))
    page = v.get(f"/day?day={day}")
    ids = page.field("ids")
    a = v.post("/sign", {"form": form, "ids": ids, "pass": PASS})
    check("a day's list is signed", ids and a.status == 303, (ids, a.status))
    signed = {r["id"] for r in shop.records("--state", "reviewed")}
    check("all of it", {int(i) for i in ids.split(",")} <= signed)
    check("then nothing of that day waits", "Nothing of this day waits" in v.get(f"/day?day={day}").text)
    return form


def refusals(shop, form):
    """People who may not sign, and a lock."""
    waiting = [r for r in shop.records("--state", "unreviewed") if r["cleared"]]
    one = waiting[0]
    v = Visitor(shop)
    check("an operator signs in", v.sign_in("wang").status == 303)
    page = v.get(f"/record?id={one['id']}")
    check("but gets no form to sign", "Only a reviewer can sign" in page.text and 'name="ids"' not in page.text)
    own = page.field("form")
    check("and cannot without it", v.post("/sign", {"form": own, "ids": one["id"], "pass": PASS}).status == 409)
    check("a token of somebody else's session is refused",
          v.post("/sign", {"form": form, "ids": one["id"], "pass": PASS}).status == 403)
    shop.cs("person", "add", one["operator"] + " too", "--role", "reviewer", "--login", "x-" + one["operator"], stdin=PASS + "\n")
    shop.cs("person", "retire", one["operator"])
    done = shop.cs("person", "add", "Self", "--role", "reviewer", "--login", one["operator"], stdin=PASS + "\n")
    check("a reviewer with an operator's login is made", done.returncode == 0, done.stderr)
    self = Visitor(shop)
    self.sign_in("Self")
    page = self.get(f"/record?id={one['id']}")
    check("self-review is refused", "You operated here" in page.text, page.status)
    a = self.post("/sign", {"form": page.field("form"), "ids": one["id"], "pass": PASS})
    check("also by a form of one's own", a.status == 409, a.status)
    still = next(r for r in shop.records() if r["id"] == one["id"])
    check("nothing of all that was signed", still["review"] == 0)
    shop.cs("person", "retire", "Self")
    check("who is retired is out at once", self.get("/").status == 303)
    check("and does not get in again", Visitor(shop).sign_in("Self").status == 403)

    v = Visitor(shop)
    v.sign_in("chen")
    page = v.get(f"/record?id={one['id']}")
    form = {"form": page.field("form"), "ids": one["id"], "pass": "wrong horse"}
    status = [v.post("/sign", form).status for _ in range(3)]
    check("three wrong passphrases end the session", status == [403] * 3 and v.get("/").status == 303, status)
    a = Visitor(shop).sign_in("chen")
    check("the name is locked, also for the right one", a.status == 429 and "Wait five minutes" in a.text, a.status)
    check("others are not", Visitor(shop).sign_in("zhao" if one["operator"] != "zhao" else "li").status == 303)
    events = [e for e in shop.cs("ledger", "export").stdout.splitlines() if '"passphrase-locked"' in e]
    check("the lock stands in the ledger", len(events) == 1 and '"chen"' in events[0], events)
    status = [Visitor(shop).sign_in("no such person", "x" * 12).status for _ in range(4)]
    check("an unknown name is answered like a known one", status == [403, 403, 429, 429], status)
    status = [Visitor(shop).sign_in(n, "x" * 12).status for n in ("n" * 300, "", "a\nb", "<b>", "%s%n")]
    check("strange names are only wrong", all(s in (403, 400) for s in status), status)


def metrics(shop):
    """The text file for Prometheus against what the other commands say."""
    path = os.path.join(shop.folder, "cards.prom")
    done = shop.cs("metrics", "-o", path)
    check("metrics are written", done.returncode == 0 and not done.stdout, done.stderr)
    with open(path, encoding="utf-8") as f:
        lines = f.read().splitlines()
    form = re.compile(r'[a-z_]+(\{[a-z]+="(?:[^"\\]|\\.)*"(,[a-z]+="(?:[^"\\]|\\.)*")*\})? -?\d+')
    odd = [line for line in lines if not line.startswith("# ") and not form.fullmatch(line)]
    check("every line has the form", lines and not odd, odd)
    value = {line.rsplit(" ", 1)[0]: int(line.rsplit(" ", 1)[1]) for line in lines if line[0] != "#"}
    records = shop.records()
    for code in {r["code"] for r in records}:
        check(f"failures by cause: {code}", value.get(f'cardspool_failures{{cause="{code}"}}') ==
              sum(r["code"] == code for r in records))
    check("reviews waiting", value["cardspool_reviews_waiting"] == sum(r["review"] == 0 for r in records))
    check("failures open", value["cardspool_failures_open"] == sum(r["cleared"] == 0 for r in records))
    done = shop.cs("card", "list", "--state", "done", "--json")
    good = done.stdout.count('"state":"done"')
    check("good cards", good > 0 and sum(n for k, n in value.items() if 'outcome="good"' in k) == good, good)
    check("CUPS is said to be away", value["cardspool_cups_up"] == 0)
    os.unlink(path)
    os.mkdir(path)
    done = shop.cs("metrics", "-o", path)
    check("where nothing can be written: one line", done.returncode == 74 and done.stderr.count("\n") == 1, done)
    os.rmdir(path)


def hostile(shop):
    """Text of a printer and of an order that wants to be a mark."""
    bad = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    v = Visitor(shop)
    done = run(os.path.join(os.environ.get("builddir", "."), "tests/failure-history"), os.path.join(shop.folder, "h.db"),
               "--months", "1", "--cards", "3", "--raw", bad)
    check("a ledger with hostile text is made", done.returncode == 0, done.stderr)
    os.replace(os.path.join(shop.folder, "h.db"), shop.ledger)
    for tail in ("-wal", "-shm"):
        if os.path.exists(shop.ledger + tail):
            os.unlink(shop.ledger + tail)
    v.sign_in("li")
    text = v.get("/failures").text
    check("hostile text of a printer is text in the list",
          "&lt;script&gt;alert(1)" in text and "<script>alert" not in text and "<img src=x" not in text, text[:300])
    ident = re.search(r'href="/record\?id=(\d+)"', text).group(1)
    text = v.get(f"/record?id={ident}").text
    check("and in the record", "&lt;script&gt;alert(1)" in text and "<img src=x" not in text)


def main(folder):
    words()
    for listen, why in (("0.0.0.0:0", "clear"), ("nonsense", "address"), ("127.0.0.1:99999", "address"),
                        ("[::]:0", "clear")):
        shop = Shop.__new__(Shop)
        shop.env = {"CARDSPOOL_CONF": os.path.join(folder, "none.conf")}
        open(shop.env["CARDSPOOL_CONF"], "w", encoding="utf-8").close()
        done = shop.cs("web", "--listen", listen)
        check(f"--listen {listen}: refused, one line", done.returncode == 64 and done.stderr.count("\n") == 1
              and why in done.stderr, done.stderr)
    shop = Shop(folder, cards=20, extra=("--no-reviews",)).start()
    try:
        slow = Slow(shop)
        slow.start()
        gates(shop)
        v = Visitor(shop)
        a = v.sign_in("chen")
        cookie = str(a.headers.get_all("Set-Cookie"))
        check("a reviewer signs in", a.status == 303 and a.headers["Location"] == "/", (a.status, a.text))
        check("the session's cookie is HttpOnly and SameSite=Strict",
              re.search("cardspool=[0-9a-f]{64};.*HttpOnly; SameSite=Strict", cookie), cookie)
        other = Visitor(shop)
        other.sign_in("chen")
        check("each session has its own cookie", v.cookies["cardspool"] != other.cookies["cardspool"])
        other.cookies["cardspool"] = v.cookies["cardspool"][:-1] + "x"
        check("a guessed cookie is none", other.get("/").status == 303)
        looking(shop, v)
        form = signing(shop, v, folder)
        token = dict(v.cookies)
        check("signing out wants its token", v.post("/sign-out", {"form": "x"}).status == 403)
        check("signing out", v.post("/sign-out", {"form": form}).status == 303)
        v.cookies = token
        check("ends the session on the server too", v.get("/").status == 303)
        refusals(shop, form)
        slow.join(WAIT)
        check("a visitor who sends a byte now and then is cut off", slow.cut)
        crowd = [socket.create_connection(("127.0.0.1", shop.port), timeout=WAIT) for _ in range(40)]
        check("forty silent visitors keep nobody out", Visitor(shop).get("/sign-in").status == 200)
        for s in crowd:
            s.close()
        hostile(shop)
        code = shop.stop()
        check("SIGTERM ends it well, with nothing said", code == 0 and not shop.said, (code, shop.said))
    finally:
        shop.stop()
    metrics(shop)
    # A session's end: only that it ends is timed, never that it lasts.
    with open(shop.conf, "a", encoding="utf-8") as f:
        f.write("[web]\nidle-s = 1\nhost = cards.example.org\n")
    shop.start()
    try:
        v = Visitor(shop)
        v.sign_in("li")
        time.sleep(1.2)
        check("an idle session ends", v.get("/failures").status == 303)
        check("and a page that renews itself is told so", v.get("/?live=1").status in (303, 403))
        check("a name of the settings is ours", v.get("/sign-in", host="cards.example.org").status == 200)
    finally:
        shop.stop()


    # With a certificate other hosts may come, and only over TLS.
    key, cert = os.path.join(folder, "web.key"), os.path.join(folder, "web.pem")
    made = run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
               "-subj", "/CN=cards.example.org", "-keyout", key, "-out", cert)
    check("a certificate is made", made.returncode == 0, made.stderr)
    with open(shop.conf, "a", encoding="utf-8") as f:
        f.write(f"certificate = {cert}\nprivate-key = {key}\n")
    shop.start("0.0.0.0:0")
    try:
        check("with a certificate it listens for all, by TLS", shop.url.startswith("https://"), shop.url)
        trust = ssl.create_default_context(cafile=cert)
        c = http.client.HTTPSConnection("127.0.0.1", shop.port, timeout=WAIT, context=trust)
        c.sock = trust.wrap_socket(socket.create_connection(("127.0.0.1", shop.port), timeout=WAIT),
                                   server_hostname="cards.example.org")
        c.request("GET", "/sign-in", headers={"Host": f"cards.example.org:{shop.port}"})
        a = c.getresponse()
        cookie = a.getheader("Set-Cookie") or ""
        check("the page is there, its cookie goes over TLS only", a.status == 200 and cookie.endswith("; Secure")
              and "max-age" in a.getheader("Strict-Transport-Security"), (a.status, cookie))
        c.close()
        said = raw(shop, b"GET /sign-in HTTP/1.1\r\nHost: " + shop.host.encode() + b"\r\n\r\n")
        check("plain HTTP gets nothing there", b"Passphrase" not in said, said[:100])
    finally:
        shop.stop()
    with open(cert, "w", encoding="ascii") as f:
        f.write("no certificate\n")
    done = shop.cs("web", "--listen", "0.0.0.0:0")
    check("what is no certificate is refused: status 65, one line",
          done.returncode == 65 and done.stderr.count("\n") == 1, (done.returncode, done.stderr))


started = time.time() - 1
with tempfile.TemporaryDirectory(prefix="cardspool-web-") as scratch:
    main(scratch)
print(f"{failed} failed" if failed else "all passed")
sys.exit(failed > 0)
