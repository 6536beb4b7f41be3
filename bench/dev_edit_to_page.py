"""How long an edit takes to the screen under `ksbuilder dev`:   python -m bench.dev_edit_to_page

A platform of its own, a new project, headless Chromium. For each edit of a text: when the bundle was built, when the
console served it, when the page showed it, and when the release was in force, in seconds since the file was written.
"""

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from tests.e2e.demo.browser import Person, person_at
from tests.e2e.demo.platform import BIN
from tests.e2e.running import Up, world_on
from tests.ksbuilder.npm import node_modules

EDITS = 5


def edited(project: Path, url: str, person: Person, word: str) -> dict[str, float]:
    """One edit and what came of it."""
    source, bundle = project / "frontend/src/locales/en.ts", project / "charts/frontend/files/index.js"
    text = re.sub(r"_WELCOME: '[^']*'", f"_WELCOME: '{word}'", source.read_text())
    marks: dict[str, float] = {}
    begun = time.monotonic()
    source.write_text(text)

    def poll() -> None:
        while "served" not in marks:
            if "built" not in marks and word in bundle.read_text():
                marks["built"] = time.monotonic() - begun
            with urllib.request.urlopen(f"{url}/dist/notes/index.js", timeout=5) as answer:
                if word.encode() in answer.read():
                    marks["served"] = time.monotonic() - begun
            time.sleep(0.02)

    watching = threading.Thread(target=poll, daemon=True)
    watching.start()
    person.sees(word)
    marks["seen"] = time.monotonic() - begun
    watching.join(10)
    return {name: round(seconds, 2) for name, seconds in marks.items()}


def main() -> None:
    """Print a line an edit, then the medians."""
    folder = Path(tempfile.mkdtemp(prefix="dovetail-bench-"))
    project, platform = folder / "notes", Up()
    try:
        world = world_on(platform)
        create = ["create", str(project), "--name", "notes", "--category", "x", "--author", "A", "--title", "Notes"]
        subprocess.run([str(BIN / "ksbuilder"), *create], check=True, stdout=subprocess.DEVNULL)
        (project / "frontend/node_modules").symlink_to(node_modules())
        environment = {**os.environ, "KUBECONFIG": str(platform.kubeconfig)}
        dev = subprocess.Popen(
            [str(BIN / "ksbuilder"), "dev", str(project)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment,
        )  # fmt: skip
        try:
            with person_at(world.url, folder) as person:
                person.log_in("admin", platform.password)
                person.opens("Notes")
                person.sees("Hello, admin!")
                found: list[dict[str, float]] = []
                for number in range(EDITS):
                    time.sleep(2)
                    found.append(edited(project, world.url, person, f"edit number {number}"))
                    print(json.dumps({**found[-1], "load": os.getloadavg()[0]}), flush=True)
        finally:
            dev.send_signal(signal.SIGINT)
            dev.wait(20)
        print(json.dumps({name: statistics.median(one[name] for one in found) for name in found[0]}))
    finally:
        platform.finish()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
