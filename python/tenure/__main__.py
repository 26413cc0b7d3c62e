"""`python -m tenure` and the `tenure` command."""

from __future__ import annotations

import sys

from tenure._cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
