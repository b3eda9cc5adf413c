# privatecups.py - a real cupsd of our own, with the built Cardspool programs, around an emulated printer.
#
# Owns one private folder below the temporary folder and every process in it. Listens on a Unix socket only.
# As root the filters run as lp and the backend as root, as in production; as an ordinary user all run as that
# user. stop() ends everything and leaves the folder; close() removes it.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import grp
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

EXIT_REFUSED = 77  # of the emulator

CUPSD_CONF = """LogLevel {log}
LogTimeFormat usecs
MaxLogSize 0
Listen {root}/state/cups.sock
Browsing No
WebInterface No
DefaultAuthType None
DefaultShared No
DirtyCleanInterval 0
JobKillDelay 5
JobRetryInterval 2
MultipleOperationTimeout 30
MaxJobs 0
MaxJobTime 0
PreserveJobFiles No
PreserveJobHistory Yes
<Location />
  Order allow,deny
  Allow from 127.0.0.1
</Location>
<Policy default>
  JobPrivateAccess default
  JobPrivateValues default
  SubscriptionPrivateAccess default
  SubscriptionPrivateValues default
  <Limit All>
    Order deny,allow
  </Limit>
</Policy>
"""

CUPS_FILES_CONF = """User {user}
Group {group}
SystemGroup {sysgroup}
LogFileGroup {group}
ServerRoot {root}/etc
ServerBin {root}/bin
DataDir {root}/share
DocumentRoot /usr/share/cups/doc-root
RequestRoot {root}/spool
TempDir {root}/spool/tmp
CacheDir {root}/cache
StateDir {root}/state
AccessLog {root}/log/access_log
ErrorLog {root}/log/error_log
PageLog {root}/log/page_log
Printcap
FileDevice Yes
SyncOnClose No
ConfigFilePerm 0640
LogFilePerm 0644
PassEnv CARDSPOOL_CONF
PassEnv ASAN_OPTIONS
PassEnv UBSAN_OPTIONS
"""

CARDSPOOL_CONF = """[paths]
ledger={root}/ledger/ledger.db
templates={root}/templates
keys={root}/keys/master.keys
run={root}/run
[process]
worker-user={worker}
[notify]
journal={root}/run/journal
[cards]
wait-poll-ms=50
[station]
default=nfc:pn532_uart:{root}/emu/station:115200
"""


class Failed(Exception):
    pass


class Refused(Failed):
    """The kernel does not let the emulator run; the text says what to do."""


class PrivateCups:
    def __init__(self, build, emulator_args=(), script=None, queue="dualys3", ppd="dualys3.ppd",
                 config_extra="", log="warn"):
        self.build = os.path.abspath(build)
        self.queue, self.ppd = queue, ppd
        self.is_root = os.geteuid() == 0
        self.root = tempfile.mkdtemp(prefix="cs.", dir=os.environ.get("TMPDIR", "/tmp"))
        self.user = "lp" if self.is_root else pwd.getpwuid(os.geteuid()).pw_name
        self.group = "lp" if self.is_root else grp.getgrgid(os.getegid()).gr_name
        self.emulator_args = list(emulator_args)
        self.process = None
        self.log = log
        self._tree(config_extra, script)

    # ---- the folder ----

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def _mkdir(self, name, mode=0o755, owner=None):
        os.makedirs(self.path(name), exist_ok=True)
        os.chmod(self.path(name), mode)
        if owner and self.is_root:
            shutil.chown(self.path(name), owner, self.group)

    def _write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.path(name), mode)

    def _install(self, source, target, mode):
        shutil.copyfile(source, self.path(target))
        os.chmod(self.path(target), mode)

    def _tree(self, config_extra, script):
        if self.is_root:
            shutil.chown(self.root, "root", self.group)
        os.chmod(self.root, 0o710 if self.is_root else 0o700)
        for name in ("etc/ppd", "etc/ssl", "bin/backend", "bin/filter", "share/mime", "share/model",
                     "share/drv", "state", "cache", "log", "home", "sbin"):
            self._mkdir(name)
        for name in ("etc", "bin", "share"):
            os.chmod(self.path(name), 0o755)
        self._mkdir("spool/tmp", 0o770, self.user)
        self._mkdir("ledger", 0o750, self.user)
        self._mkdir("run", 0o755, self.user)
        self._mkdir("keys", 0o700)
        self._mkdir("emu", 0o755)
        self._mkdir("out", 0o755)
        lib, share = "/usr/lib/cups", "/usr/share/cups"
        for name in ("cgi-bin", "daemon", "driver", "monitor", "notifier"):
            if os.path.isdir(f"{lib}/{name}"):
                os.symlink(f"{lib}/{name}", self.path("bin", name))
        for name in sorted(os.listdir(f"{lib}/filter")):
            os.symlink(f"{lib}/filter/{name}", self.path("bin/filter", name))
        for name in ("ipp", "ipps", "socket"):
            if os.path.exists(f"{lib}/backend/{name}"):
                os.symlink(f"{lib}/backend/{name}", self.path("bin/backend", name))
        self._install(f"{self.build}/backend/cardspool", "bin/backend/cardspool",
                      0o700 if self.is_root else 0o755)
        for name in ("batchtocards", "pdftocards"):
            self._install(f"{self.build}/filter/{name}", f"bin/filter/{name}", 0o755)
        # The build may stand in a home that lp cannot enter.
        for folder, _, files in os.walk(f"{self.build}/templates"):
            target = os.path.join("templates", os.path.relpath(folder, f"{self.build}/templates"))
            self._mkdir(target)
            for name in files:
                self._install(os.path.join(folder, name), os.path.join(target, name), 0o644)
        for name in os.listdir(share):
            if name not in ("mime", "model", "drv"):
                os.symlink(f"{share}/{name}", self.path("share", name))
        for name in os.listdir(f"{share}/mime"):
            if not name.startswith("braille"):
                os.symlink(f"{share}/mime/{name}", self.path("share/mime", name))
        source = os.environ.get("srcdir") or os.path.join(os.path.dirname(__file__), "..")
        self._install(os.path.join(source, "spooler/cardspool.types"), "share/mime/cardspool.types",
                      0o644)
        shutil.copyfile("/usr/sbin/cupsd", self.path("sbin/cupsd"))
        os.chmod(self.path("sbin/cupsd"), 0o755)
        names = dict(root=self.root, user=self.user, group=self.group, build=self.build,
                     log=self.log, worker=self.user,
                     sysgroup="root" if self.is_root else self.group)
        self._write("etc/cupsd.conf", CUPSD_CONF.format(**names), 0o640)
        self._write("etc/cups-files.conf", CUPS_FILES_CONF.format(**names), 0o640)
        self._write("cardspool.conf", CARDSPOOL_CONF.format(**names) + config_extra)
        self.script = None
        if script:
            self.script = self.path("emu/script")
            self._write("emu/script", script)

    # ---- processes ----

    def environment(self):
        env = {k: v for k, v in os.environ.items() if k not in ("TMPDIR", "CUPS_SERVER", "LANG")}
        env.update(CUPS_SERVER=self.path("state/cups.sock"), CUPS_SERVERROOT=self.path("etc"),
                   CUPS_STATEDIR=self.path("state"), CUPS_DATADIR=self.path("share"),
                   CUPS_SERVERBIN=self.path("bin"), HOME=self.path("home"), LC_ALL="C.UTF-8",
                   CARDSPOOL_CONF=self.path("cardspool.conf"),
                   DBUS_SYSTEM_BUS_ADDRESS="unix:path=" + self.path("no-dbus"),
                   PATH=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")  # Debian: not a user's
        return env

    def run(self, *argv, check=True, timeout=60, **kw):
        try:
            result = subprocess.run(argv, env=self.environment(), stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True, timeout=timeout, **kw)
        except OSError as error:
            raise Failed(f"{argv[0]} cannot be started: {error.strerror}") from error
        if check and result.returncode:
            raise Failed(f"{' '.join(argv)}: status {result.returncode}: "
                         f"{result.stderr.strip() or result.stdout.strip()}")
        return result

    def cardspool(self, *argv, **kw):
        return self.run(f"{self.build}/cardspool", *argv, **kw)

    def cardspool_json(self, *argv):
        return json.loads(self.cardspool(*argv, "--json").stdout)

    def tell(self, *words):
        """One line to the emulator's console; the answer is its JSON line."""
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20)
        s.connect(self.path("emu/control"))
        s.sendall((" ".join(words) + "\n").encode())
        answer = b""
        while not answer.endswith(b"\n"):
            piece = s.recv(65536)
            if not piece:
                break
            answer += piece
        s.close()
        return json.loads(answer)

    def cupsd_argv(self):
        return [self.path("sbin/cupsd"), "-f", "-c", self.path("etc/cupsd.conf"),
                "-s", self.path("etc/cups-files.conf")]

    def start(self):
        """Emulator around cupsd; returns when cupsd answers."""
        argv = [f"{self.build}/cardspool-emulator", "--control", self.path("emu/control"),
                "--out", self.path("out"), "--station", self.path("emu/station"),
                *self.emulator_args]
        if self.script:
            argv += ["--script", self.script]
        argv += ["--run", *self.command_inside()]
        self.stderr = open(self.path("log/stderr"), "ab")
        self.process = subprocess.Popen(argv, env=self.environment(), stdin=subprocess.DEVNULL,
                                        stdout=self.stderr, stderr=self.stderr,
                                        start_new_session=True)
        self.wait_ready()

    def command_inside(self):
        return self.cupsd_argv()

    def wait_ready(self, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                s = socket.socket(socket.AF_UNIX)
                s.connect(self.path("state/cups.sock"))
                s.close()
                if "is running" in self.run("lpstat", "-r", check=False).stdout:
                    return
            except OSError:
                pass
            time.sleep(0.02)
        with open(self.path("log/stderr"), encoding="utf-8", errors="replace") as f:
            words = f.read().strip()
        if self.process.poll() == EXIT_REFUSED:
            raise Refused(words.rpartition("cardspool-emulator: ")[2])
        raise Failed("the private cupsd did not start: " + words[-800:])

    def add_queue(self, uri=None, queue=None, options=()):
        """Finds the printer through cupsd's own discovery, as an admin would."""
        if not uri:
            for line in self.run("lpinfo", "-v", timeout=60).stdout.splitlines():
                if "cardspool://" in line:
                    uri = line.split()[1]
        if not uri:
            raise Failed("lpinfo -v lists no card printer")
        self.uri = uri
        argv = ["lpadmin", "-p", queue or self.queue, "-E", "-v", uri,
                "-P", f"{self.build}/ppd/{self.ppd}", "-o", "printer-error-policy=stop-printer",
                "-o", "job-sheets-default=none,none"]
        for option in options:
            argv += ["-o", option]
        self.run(*argv)
        return uri

    def make_keys(self):
        self.cardspool("key", "create", "--plain", self.path("keys/master.keys"))

    def stop(self):
        if not self.process:
            return
        self.run("cancel", "-a", check=False)
        self.process.poll()
        for sig, seconds in ((signal.SIGTERM, 6), (signal.SIGKILL, 5)):
            if self.process.poll() is not None:
                break
            pid_cupsd = self.cupsd_pid()
            try:
                os.kill(pid_cupsd or self.process.pid, sig)
                self.process.wait(seconds)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None
        self.stderr.close()

    def cupsd_pid(self):
        want = self.path("sbin/cupsd")
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/cmdline", "rb") as f:
                        if f.read().split(b"\0")[0].decode() == want:
                            return int(name)
                except OSError:
                    continue
        return None

    def close(self):
        self.stop()
        if not os.environ.get("CARDSPOOL_KEEP"):
            shutil.rmtree(self.root, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- jobs ----

    def submit(self, batch, *options):
        argv = ["lp", "-d", self.queue]
        for option in options:
            argv += ["-o", option]
        out = self.run(*argv, batch).stdout
        return int(out.split("request id is ")[1].split()[0].rsplit("-", 1)[1])

    def ipp(self, operation, group_lines, display):
        """One IPP request over the socket; returns {attribute: value} of the first answer group."""
        self._write("home/request.test", "{\nOPERATION " + operation + "\n"
                    "GROUP operation-attributes-tag\nATTR charset attributes-charset utf-8\n"
                    "ATTR language attributes-natural-language en\n" + group_lines + "\n" +
                    "".join(f"DISPLAY {d}\n" for d in display) + "}\n")
        uri = "ipp://" + self.path("state/cups.sock").replace("/", "%2F") + f"/printers/{self.queue}"
        out = self.run("ipptool", "-t", uri, self.path("home/request.test"), check=False).stdout
        found = {}
        for line in out.splitlines():
            name, eq, value = line.strip().partition(" = ")
            if eq:
                found[name.split(" (")[0]] = value
        return found

    def job(self, number):
        names = ("job-state", "job-state-reasons", "job-impressions-completed", "job-uuid",
                 "job-printer-state-message")
        found = self.ipp("Get-Job-Attributes", f"ATTR uri printer-uri ipp://localhost/printers/{self.queue}\n"
                         f"ATTR integer job-id {number}", names)
        return found

    def job_state(self, number):
        """'pending', 'pending-held', 'processing', 'processing-stopped', 'canceled', 'aborted', 'completed'"""
        return self.job(number).get("job-state", "unknown")

    def printer(self):
        names = ("printer-state", "printer-state-reasons", "printer-state-message", "marker-names",
                 "marker-levels")
        return self.ipp("Get-Printer-Attributes",
                        f"ATTR uri printer-uri ipp://localhost/printers/{self.queue}", names)

    def wait_job(self, number, seconds=120, until=("completed", "canceled", "aborted", "pending-held",
                                                   "processing-stopped"), poll=None):
        end = time.monotonic() + seconds
        while True:
            state = self.job_state(number)
            if poll:
                poll(state)
            if state in until:
                return state
            if state == "pending" and "stopped" in self.printer().get("printer-state", ""):
                return "printer-stopped"
            if time.monotonic() > end:
                raise Failed(f"job {number} is still {state} after {seconds} s: {self.printer()}")
            time.sleep(0.05)

    def printer_line(self):
        return self.run("lpstat", "-p", self.queue, check=False).stdout.strip()
