"""python -m tests.simulation --seeds 0:2000 | --seed 17 [--trace] | --mutant H3 ..."""

from tests.simulation.command import main

main()
