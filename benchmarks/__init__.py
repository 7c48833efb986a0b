"""Measurements. Each prints a table and, as its last line, one JSON object; `--quick` ends within a minute."""
