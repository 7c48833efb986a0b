"""Measuring a bundle: every table of the published notebooks, and what else one would ask of a model.

`subject` is what is measured, `steps` runs and caches the tables, the other files make one kind of table each. What
comes out is `sparc_core.evaluation`.
"""
