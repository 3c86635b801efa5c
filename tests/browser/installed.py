"""The browser that is there."""

from __future__ import annotations

import os
import shutil

_NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
BROWSER = os.environ.get("LAPACK_AI_BROWSER") or next(filter(None, map(shutil.which, _NAMES)), None)
