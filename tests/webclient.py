# webclient.py - a workshop page of our own for a test: a ledger of a simulated shop, the server, a plain HTTP client.
#
# Owns one private folder and one process. The server takes a free port itself.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import datetime
import http.client
import json
import os
import re
import subprocess
import urllib.parse

BUILD = os.path.abspath(os.environ.get("builddir", "."))
CARDSPOOL = os.path.join(BUILD, "cardspool")
PASS = "correct horse"
WAIT = 120  # for whatever should be quick; a loaded host may take its time


def run(*words, stdin="", env=None, cwd=None):
    return subprocess.run([*words], input=stdin, capture_output=True, text=True, timeout=WAIT, cwd=cwd,
                          env=dict(os.environ, **(env or {})))


class Shop:
    """Ledger, settings and server below one folder."""

    def __init__(self, folder, settings="", months=1, cards=6, extra=()):
        self.folder = folder
        self.ledger = os.path.join(folder, "ledger.db")
        self.conf = os.path.join(folder, "cardspool.conf")
        self.env = {"CARDSPOOL_CONF": self.conf, "CUPS_SERVER": os.path.join(folder, "no-cups.sock")}
        self.server = None
        yesterday = (datetime.date.today() - datetime.timedelta(days=1)).isoformat()
        made = run(os.path.join(BUILD, "tests/failure-history"), self.ledger, "--months", str(months), "--cards",
                   str(cards), "--end", yesterday, "--seed", "5", *extra)
        if made.returncode:
            raise RuntimeError(made.stderr)
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(f"[paths]\nledger = {self.ledger}\nrun = {folder}\n[process]\nworker-user = root\n{settings}\n")

    def cs(self, *words, stdin=""):
        return run(CARDSPOOL, *words, stdin=stdin, env=self.env)

    def records(self, *words):
        return json.loads(self.cs("failure", "list", "--json", "--limit", "0", *words).stdout)["failures"]

    def start(self, listen="127.0.0.1:0"):
        self.server = subprocess.Popen([CARDSPOOL, "web", "--listen", listen, "--json"], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True, env=dict(os.environ, **self.env))
        line = self.server.stdout.readline()
        if not line:
            raise RuntimeError(self.server.stderr.read())
        self.url = json.loads(line)["url"]
        self.host = urllib.parse.urlsplit(self.url).netloc
        self.port = urllib.parse.urlsplit(self.url).port
        return self

    def stop(self):
        if not self.server:
            return None
        self.server.terminate()
        self.said = self.server.communicate(timeout=WAIT)[1]
        code, self.server = self.server.returncode, None
        return code


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()
        self.text = self.body.decode("utf-8", "replace")

    def field(self, name):
        m = re.search(rf'name="{name}" value="([^"]*)"', self.text)
        return m.group(1) if m else ""


class Visitor:
    """A browser without a face: keeps cookies, follows nothing."""

    def __init__(self, shop, language="en"):
        self.shop, self.cookies, self.language = shop, {}, language

    def ask(self, method, path, body=None, headers=None, host=None):
        c = http.client.HTTPConnection("127.0.0.1", self.shop.port, timeout=WAIT)
        all_headers = {"Host": host or self.shop.host, "Accept-Language": self.language}
        if self.cookies:
            all_headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        if isinstance(body, dict):
            body = urllib.parse.urlencode(body)
            all_headers["Content-Type"] = "application/x-www-form-urlencoded"
        all_headers.update(headers or {})
        c.request(method, path, body=body, headers=all_headers)
        answer = Answer(c.getresponse())
        for line in answer.headers.get_all("Set-Cookie", []):
            name, value = line.split(";")[0].split("=", 1)
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        c.close()
        return answer

    def get(self, path, **more):
        return self.ask("GET", path, **more)

    def post(self, path, body, **more):
        return self.ask("POST", path, body=body, **more)

    def sign_in(self, name, passphrase=PASS):
        form = self.get("/sign-in").field("form")
        return self.post("/sign-in", {"form": form, "name": name, "pass": passphrase})

    def upload(self, path, fields, file_name, data):
        mark = "----cardspool-test"
        parts = []
        for name, value in fields.items():
            parts.append(f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
        parts.append(f'--{mark}\r\nContent-Disposition: form-data; name="photo"; filename="{file_name}"\r\n'
                     "Content-Type: image/png\r\n\r\n".encode() + data + b"\r\n")
        parts.append(f"--{mark}--\r\n".encode())
        return self.ask("POST", path, body=b"".join(parts),
                        headers={"Content-Type": f"multipart/form-data; boundary={mark}"})
