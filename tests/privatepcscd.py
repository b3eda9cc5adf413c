"""A pcscd of one's own: real, in a private mount namespace, with the emulator's readers in it.

    with PrivatePcscd(build, [("ACS ACR122U PICC Interface", "/tmp/x/reader.sock")]) as d:
        subprocess.run([...], env=d.env())

Nothing listens on a network, and a pcscd of the system is neither touched nor seen.
"""
import os
import re
import shutil
import subprocess
import tempfile
import time


class PrivatePcscd:
    def __init__(self, build, readers):
        self.dir = tempfile.mkdtemp(prefix="cs-pcscd.")
        self.readers = readers
        self.handler = os.path.join(os.path.abspath(build), "tests", "emulator-ifd.so")
        self.socket = os.path.join(self.dir, "run", "pcscd.comm")
        self.process = None

    def __enter__(self):
        os.chmod(self.dir, 0o755)
        os.mkdir(os.path.join(self.dir, "run"))
        readers_dir = os.path.join(self.dir, "readers.d")
        os.mkdir(readers_dir)
        for i, (name, path) in enumerate(self.readers):
            if not os.path.exists(path):  # pcscd wants to see it; the emulator makes the socket in its place
                open(path, "w").close()
            with open(os.path.join(readers_dir, f"reader{i}"), "w") as f:
                f.write(f'FRIENDLYNAME "{name}"\nDEVICENAME {path}\nLIBPATH {self.handler}\nCHANNELID 0\n')
        self.start()
        return self

    def start(self):
        """The daemon's socket folder is compiled in, so the private one is mounted over it."""
        script = ("mkdir -p /run/pcscd && mount --bind \"$1/run\" /run/pcscd && "
                  "exec pcscd -f -c \"$1/readers.d\"")
        unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-r", "-m"]
        if not os.path.isdir("/run/pcscd") and os.geteuid() != 0:
            script = "mount -t tmpfs tmpfs /run && " + script
        env = dict(os.environ)
        with open(self.handler, "rb") as f:  # a build with sanitizers: their library must come first in the process
            sanitizer = re.search(rb"libasan\.so\.[0-9]+", f.read())
        if sanitizer:
            env["ASAN_OPTIONS"] = "detect_leaks=0"
            script = script.replace("exec pcscd", f"LD_PRELOAD={sanitizer[0].decode()} exec pcscd")
        self.log = open(os.path.join(self.dir, "log"), "ab")
        self.process = subprocess.Popen(unshare + ["sh", "-c", script, "sh", self.dir],
                                        stdout=self.log, stderr=self.log, env=env)
        deadline = time.monotonic() + 10
        while not os.path.exists(self.socket):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("pcscd did not start:\n" + open(self.log.name).read())
            time.sleep(0.01)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None
        if os.path.exists(self.socket):
            os.unlink(self.socket)

    def env(self, **more):
        return dict(os.environ, PCSCLITE_CSOCK_NAME=self.socket, **more)

    def __exit__(self, *_):
        self.stop()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)
