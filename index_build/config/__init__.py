"""`sparc.toml`: read (`tables`), written with comments (`template`)."""
