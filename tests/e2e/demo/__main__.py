"""Run the demo: `python -m tests.e2e.demo`."""

import sys
import traceback

from tests.e2e.demo.report import Report
from tests.e2e.demo.steps import demonstrate
from tests.e2e.demo.world import World


def main() -> int:
    world, report = World(), Report()
    print("The main job, step by step:", flush=True)
    try:
        demonstrate(world, report)
    except Exception:
        traceback.print_exc()
        print(world.platform.tail(), file=sys.stderr)
    finally:
        world.platform.remove()
    report.print()
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
