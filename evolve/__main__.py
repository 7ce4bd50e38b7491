"""`python -m evolve`."""

from __future__ import annotations

import sys

from evolve.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
