"""What every request goes through on its way to a route, a file each, outermost first.

`Observing` (id, deadline, times, metrics, log), `AnswerHeaders` (security), `Access` (keys, rate limits), `BodyLimit`
(size), `BodyDeadline` (slow senders); compression; `Served` (which bundle answers) comes last. `server/app.py` puts
them in place.
"""

from server.middleware.access import Access, access_rules
from server.middleware.answer_headers import AnswerHeaders
from server.middleware.body_deadline import BodyDeadline
from server.middleware.body_limit import BodyLimit
from server.middleware.observing import Observing
from server.middleware.served import Served

__all__ = ["Access", "AnswerHeaders", "BodyDeadline", "BodyLimit", "Observing", "Served", "access_rules"]
