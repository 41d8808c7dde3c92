"""Print the table for the README or the page: ``python -m tests.comparison readme|page``."""

from __future__ import annotations

import sys

from tests.comparison._table import page, readme

MADE = {"readme": readme, "page": page}

if __name__ == "__main__":
    _, which = sys.argv
    sys.stdout.write(MADE[which]() + "\n")
