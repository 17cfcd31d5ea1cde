"""``python -m delegate_core`` is the ``delegate`` command."""

from delegate_core.cli import main

main()
