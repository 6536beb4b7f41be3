"""Install the pinned libraries and Dovetail itself into the environment that runs this script.

`install.py runtime` is what a user needs, `install.py dev` is what a developer needs. Hashes are checked. Dovetail is
linked, not copied, by a path file: the checkout is what runs.
"""

import compileall
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[1]


def pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", "-qq", *arguments], check=True)


def main(kind: str) -> None:
    pip("install", "--require-hashes", "-r", str(ROOT / "requirements" / f"{kind}.txt"))
    compileall.compile_dir(ROOT / "src", quiet=2, workers=0)  # the first start need not do it, six processes at once
    if kind == "dev":
        pip("install", "--no-deps", "--no-build-isolation", "-e", str(ROOT))
        return
    site = Path(sysconfig.get_paths()["purelib"])
    (site / "dovetail_checkout.pth").write_text(f"{ROOT / 'src'}\n")
    for command in ("dovetail", "ksbuilder"):
        script = Path(sysconfig.get_paths()["scripts"]) / command
        script.write_text(
            f"#!{sys.executable}\nfrom dovetail.cli.{command} import main\n\nif __name__ == '__main__':\n    main()\n"
        )
        script.chmod(0o755)


if __name__ == "__main__":
    main(sys.argv[1])
