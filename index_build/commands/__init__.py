"""The commands of `sparc-build`: flags in, one line per error out. `index_build.cli` puts them together."""
