"""ksbuilder on a real terminal."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect


@contextmanager
def terminal(*arguments: str | Path, cwd: Path, code: int = 0, **given: str) -> "Iterator[pexpect.spawn[str]]":
    """ksbuilder on a terminal of 100 columns; afterwards it has ended with this code."""
    environment = {name: text for name, text in os.environ.items() if name not in ("KUBECONFIG", "XDG_CONFIG_HOME")}
    environment |= {"HOME": str(cwd), "TERM": "xterm-256color", **given}
    words = ["-m", "dovetail.cli.ksbuilder", *map(str, arguments)]
    child = pexpect.spawn(
        sys.executable, words, cwd=str(cwd), env=environment, encoding="utf-8", dimensions=(40, 100), timeout=50
    )
    try:
        yield child
        child.expect(pexpect.EOF)
        child.wait()
    finally:
        child.close(force=True)
    assert (child.exitstatus, child.signalstatus) == (code, None), child.before


def interrupt(child: "pexpect.spawn[str]") -> None:
    """Ctrl-C until it ends: readline loses one that comes while it gets ready to read."""
    for _ in range(20):
        child.sendintr()
        if child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=1) == 0:
            return


def shown(*arguments: str | Path, cwd: Path, code: int = 0, **given: str) -> str:
    """Everything that a command shows on a terminal, without colours."""
    with terminal(*arguments, cwd=cwd, code=code, **given) as child:
        child.expect(pexpect.EOF)
        text = str(child.before)
    plain = re.sub(r"\x1b\[[0-9;]*[mK]", "", text).replace("\r\n", "\n")
    return re.sub(r"[^\n]*\r", "", plain)  # what is drawn over is not there
