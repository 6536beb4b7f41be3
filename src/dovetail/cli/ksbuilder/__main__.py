"""`python -m dovetail.cli.ksbuilder`."""

from dovetail.cli.ksbuilder import main

main()
