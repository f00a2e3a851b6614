"""Texts and codes of restate-server that we recognise, as version 1.7.12 words them.

None of them is a documented API: after an upgrade of the server, look here first.
"""

import re

# The ingress, of `attach` and `output`: what is no id at all; the id of no invocation.
# A run that failed with 404 has a message of its own, which names a subtask or a part.
BAD_ID = "bad invocation id"
UNKNOWN_ID = ("not found", "invocation not found")

# The ingress, of a call to a service that no registered worker serves.
SERVICE_NOT_FOUND = "service '{}' not found"

# The ingress, with 409: how an invocation ended that somebody cancelled.
CANCELLED = "cancelled"

# The admin API, of SQL: what is no id at all.
BAD_ID_IN_SQL = "non valid invocation id"

# The admin API: codes that stand before the message of an error, such as `[META0014] `.
CODES = re.compile(r"^(\[META\d+\] )+")

# The admin API, where the remedy is an option of a command line that is not ours.
REMEDIES = {
    "META0014": "it does not speak HTTP/2, so it is no worker, or a proxy before it "
    "does not pass HTTP/2 on; `parallelizework serve` does",
}

# SQL, `sys_invocation.completion_failure`.
CANCELLED_IN_SQL = "[409] cancelled"
KILLED_IN_SQL = "[409] killed"

# SQL, `sys_invocation.last_failure_error_code`: a worker that does not answer.
NO_WORKER = "RT0010"

# SQL, `sys_journal.entry_type`: a run sends nothing to anybody but FanOutProgress.
SEND_ENTRY = "Command: OneWayCall"
