"""HTTP routes: `pages` renders HTML; the other modules answer JSON under /api/v1."""
