"""The offline builder: corpora -> features -> SPARC -> codes -> indexes -> bundle.

Start at `index_build.pipeline`, which names the steps in order; `index_build.cli` is the command line.
"""
