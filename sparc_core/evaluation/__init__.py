"""What a bundle is worth: what `evaluation.json` holds, as tables, beside what was published.

`results` is the file, `tables` and `comparison` make rows and columns of it, `formats` writes those as CSV and LaTeX,
`published` has the figures of the paper's notebooks. Measuring is the builder's (`index_build.evaluation`).
"""

from sparc_core.evaluation.results import Evaluation

__all__ = ["Evaluation"]
