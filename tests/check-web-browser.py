# check-web-browser.py - the workshop page in headless Chromium: a review clicked through, at a desk and on a phone.
#
#   check-web-browser.py [--pictures FOLDER]    keeps the screenshots
#
# Speaks WebDriver to chromedriver over plain HTTP. Without chromium or chromedriver: one line, status 77.
# Prints a line per check; exit status 1 when one fails.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from webclient import PASS, WAIT, Shop, Visitor, run  # noqa: E402

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
failed = 0


def check(what, good, more=""):
    global failed
    failed += not good
    print(f"{'ok' if good else 'not ok'} - {what}{'' if good else ': ' + str(more)[:400]}", flush=True)


class Browser:
    """One chromedriver with one window, both in a private folder."""

    def __init__(self, folder, language):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                       text=True, env=dict(os.environ, HOME=folder, TMPDIR=folder))
        self.base = None
        for line in self.driver.stdout:
            m = re.search(r"successfully on port (\d+)", line)
            if m:
                self.base = f"http://127.0.0.1:{m.group(1)}"
                break
        if not self.base:
            raise RuntimeError("chromedriver does not start")
        self.session = None
        args = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                "--disable-background-networking", "--no-first-run", f"--lang={language}",
                f"--user-data-dir={folder}/profile-{language}"]
        made = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": args, "prefs": {"intl.accept_languages": language}},
            "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.session = "/session/" + made["sessionId"]

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.base + (self.session or "") + path, method=method,
                                         data=json.dumps(body or {}).encode() if method == "POST" else None,
                                         headers={"Content-Type": "application/json"})
        try:
            with DIRECT.open(request, timeout=WAIT) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"].split("\n")[0]) from None

    def go(self, url):
        self.call("POST", "/url", {"url": url})

    def find(self, css):
        return self.call("POST", "/element", {"using": "css selector", "value": css})[ELEMENT]

    def click(self, css):
        self.call("POST", f"/element/{self.find(css)}/click")

    def type(self, css, text):
        self.call("POST", f"/element/{self.find(css)}/value", {"text": text})

    def script(self, text, *args):
        return self.call("POST", "/execute/sync", {"script": text, "args": list(args)})

    def text(self):
        return self.script("return document.body.innerText")

    def wait(self, text):
        """Until the page says so."""
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            try:
                if self.script(text):
                    return True
            except RuntimeError:
                pass
            time.sleep(0.2)
        return False

    def size(self, width, height):
        self.call("POST", "/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}})

    def picture(self, path):
        """The whole page, however long."""
        whole = self.call("POST", "/goog/cdp/execute", {"cmd": "Page.captureScreenshot", "params": {
            "captureBeyondViewport": True, "format": "png"}})["data"]
        with open(path, "wb") as f:
            f.write(base64.b64decode(whole))

    def complaints(self):
        """What the console says of the page: policy violations, script errors, what was not found."""
        return [e["message"] for e in self.call("POST", "/se/log", {"type": "browser"}) if e["level"] == "SEVERE"]

    def close(self):
        try:
            if self.session:
                self.call("DELETE", "")
        except (RuntimeError, OSError):
            pass
        self.driver.terminate()
        self.driver.communicate(timeout=WAIT)


def sign_in(b, shop, name):
    b.go(shop.url)
    b.type("input[name=name]", name)
    b.type("input[name=pass]", PASS)
    b.click("form.sheet button")
    return b.wait("return !!document.querySelector('.machines')")


def look(b, shop, pictures, tag, paths):
    """Every page at a desk and on a phone: nothing sticks out, nothing is complained of."""
    for width, height, device in ((1200, 800, "desk"), (390, 844, "phone")):
        b.size(width, height)
        for name, path in paths:
            b.go(shop.url.rstrip("/") + path)
            wide = b.script("return document.documentElement.scrollWidth - window.innerWidth")
            if pictures:
                b.picture(os.path.join(pictures, f"{tag}-{device}-{name}.png"))
            check(f"{tag}, {device}: {name} fits", wide <= 0, f"{wide} dots too wide")
    complaints = b.complaints()
    check(f"{tag}: the browser complains of nothing", not complaints, complaints[:3])


def review(b, shop, folder):
    """From the list to the signature, with the mouse and the keyboard alone."""
    waiting = [r for r in shop.records("--state", "unreviewed") if r["cleared"]]
    one = waiting[-1]
    b.size(1200, 800)
    b.go(shop.url)
    b.click('a[href="/failures?state=unreviewed"]')
    check("the number of waiting reviews leads to them", b.wait("return !!document.querySelector('.list tbody tr')"))
    b.click(f'a[href="/record?id={one["id"]}"]')
    check("the list leads to the record", b.wait("return !!document.getElementById('sign')"))
    b.type("input[name=pass]", "wrong horse")
    b.click("#sign")
    check("a wrong passphrase is said", b.wait("return !!document.querySelector('[role=alert]')"))
    b.go(shop.url + f"record?id={one['id']}")
    photo = os.path.join(folder, "photo.png")
    b.picture(photo)
    b.type("input[name=cause]", "dust on the feed rollers")
    b.type("input[type=file]", photo)
    b.click('form[action="/note"] button')
    check("a note with a photo is added and shown",
          b.wait("const i = document.querySelector('img.photo'); i && i.scrollIntoView();"
                 "return i && i.complete && i.naturalWidth > 0"), b.text())
    b.type("input[name=pass]", PASS)
    b.click("#sign")
    check("the signature stands on the page", b.wait("return !!document.querySelector('#review .state.ok')"), b.text())
    proof = os.path.join(folder, "proof")
    os.mkdir(proof)
    done = shop.cs("failure", "review", str(one["id"]), "--export", proof)
    script = next(n for n in os.listdir(proof) if n.endswith(".sh"))
    done = run("sh", script, cwd=proof)
    check("openssl alone verifies it", done.returncode == 0, done.stdout + done.stderr)
    row = next(r for r in shop.records() if r["id"] == one["id"])
    check("the ledger has it under the reviewer's name", row["reviewer"] == "chen" and row["notes"] == 1, row)
    return one["id"]


def live(b, shop):
    """The board renews itself, and says when it cannot."""
    b.size(1200, 800)
    b.go(shop.url)
    b.script("window.mark = document.querySelector('main').firstElementChild; return 0")
    check("the page renews what lives by itself",
          b.wait("return !document.contains(window.mark) && !!document.querySelector('.machines')"))
    b.go(shop.url)
    shop.stop()
    check("a lost connection is said", b.wait("return document.getElementById('lost').className.includes('stop')"))


def main(folder, pictures):
    shop = Shop(folder, months=3, cards=40).start()
    b = None
    try:
        first = shop.records()[-1]["id"]
        b = Browser(folder, "en-US")
        check("a reviewer signs in", sign_in(b, shop, "chen"), b.text())
        ident = review(b, shop, folder)
        check("no text that was typed became a mark", not b.script("return document.querySelector('main script')"))
        day = time.strftime("%Y-%m-%d", time.localtime(time.time() - 2 * 86400))
        paths = [("machines", "/"), ("failures", "/failures"), ("record", f"/record?id={ident}"),
                 ("open-record", f"/record?id={first}"), ("day", f"/day?day={day}"), ("charts", "/charts"),
                 ("batches", "/batches")]
        b.complaints()  # of the wrong passphrase above
        look(b, shop, pictures, "en", paths)
        b.go(shop.url + "failures?state=open")
        b.click("#language")
        check("one click changes the language, not the search",
              b.wait("return document.documentElement.lang == 'zh-CN'") and
              b.script("return document.querySelector('select[name=state]').value") == "open")
        look(b, shop, pictures, "zh", paths)
        left = b.script("const t = [...document.querySelectorAll('h1,h2,th,button,nav a,label,.state')]"
                        ".map(e => e.childNodes[0].textContent); return t.filter(s => /[A-Za-z]{3}/.test(s))")
        check("nothing of the frame is left in English", not left, left)
        b.go(shop.url + "?lang=en")
        live(b, shop)
        shop.start(shop.host)
        b.go(shop.url)
        check("after a restart one signs in anew", b.wait("return !!document.querySelector('input[name=pass]')"))
        for width, device in ((1200, "desk"), (390, "phone")):
            b.size(width, 700)
            if pictures:
                b.picture(os.path.join(pictures, f"sign-in-{device}.png"))
        zh = Visitor(shop, "zh-CN")
        check("the sign-in page speaks Chinese", "口令" in zh.get("/sign-in").text)
    finally:
        if b:
            b.close()
        shop.stop()


if not shutil.which("chromium") or not shutil.which("chromedriver"):
    print("check-web-browser: chromium and chromedriver are not installed; nothing was clicked")
    sys.exit(77)
keep = sys.argv[2] if len(sys.argv) > 2 and sys.argv[1] == "--pictures" else None
if keep:
    os.makedirs(keep, exist_ok=True)
with tempfile.TemporaryDirectory(prefix="cardspool-browser-", ignore_cleanup_errors=True) as scratch:
    main(scratch, keep)
print(f"{failed} failed" if failed else "all passed")
sys.exit(failed > 0)
