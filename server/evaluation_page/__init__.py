"""What the page Evaluation shows, made from the served bundle's evaluation.

`view` has the sections, `headline` the figures at the head, `tables` what is in a cell, `links` where it leads,
`density` a table of the page's own, `plots` what is drawn; `frontend/templates/evaluation.html` puts it together.
"""

from server.evaluation_page.view import EvaluationView, evaluation_view

__all__ = ["EvaluationView", "evaluation_view"]
