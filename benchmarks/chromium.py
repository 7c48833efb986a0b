"""Which browser is driven by tests, benchmarks and the documents' pictures, and how it is started.

Debian's headless shell first: it draws the same pages as Chromium without that one's own windows, which cost tests of
ours a quarter of their time.
"""

import shutil

_PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
PROGRAM = next((path for name in _PROGRAMS if (path := shutil.which(name))), None)
"""None where there is no browser: `MISSING` says what to do."""

MISSING = "no Chromium found: apt-get install chromium-headless-shell"

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
