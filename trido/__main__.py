"""``python -m trido``: the same as the command ``trido``."""

from __future__ import annotations

import sys

from trido.cli import main

sys.exit(main())
