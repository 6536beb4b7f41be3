"""The YAML examples that the seed document prints, and copies of their shape for when it is not there."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

SEED = Path(__file__).parents[3] / "shared" / "seeds" / "backend-extension-mechanism.md"
SHAPES = Path(__file__).parent / "shapes.yaml"


def seed_examples() -> dict[str, dict[str, Any]]:
    """The seed's own examples by kind, as printed. Skips the test where the document is absent."""
    if not SEED.exists():
        pytest.skip(f"the seed document is not at {SEED}")
    blocks = re.findall(r"```yaml\n(.*?)```", SEED.read_text(), re.DOTALL)
    return _by_kind(yaml.safe_load(block) for block in blocks)


def shape_examples() -> dict[str, dict[str, Any]]:
    """Our own examples of the same shapes."""
    return _by_kind(yaml.safe_load_all(SHAPES.read_text()))


def _by_kind(objects: Any) -> dict[str, dict[str, Any]]:
    return {obj["kind"]: obj for obj in objects if "kind" in obj}
