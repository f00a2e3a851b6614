"""Texts and codes that we recognize in answers of restate-server 1.7.12.

None of them is a documented API. After an upgrade of the server, check them first.
"""

import re

# The ingress, for `attach` and `output`: an invalid id; the id of no invocation. A run
# that failed with 404 has another message, which names a subtask or a function.
BAD_ID = "bad invocation id"
UNKNOWN_ID = ("not found", "invocation not found")

# The ingress, for a call to a service that no registered worker serves.
SERVICE_NOT_FOUND = "service '{}' not found"

# The ingress, with 409: the invocation was cancelled.
CANCELLED = "cancelled"

# The admin API, for `version`: a field of the answer.
ADMIN_VERSION = b"admin_api_version"

# The admin API, for SQL: an invalid id.
BAD_ID_IN_SQL = "non valid invocation id"

# The admin API: codes before the message of an error, such as `[META0014] `.
CODES = re.compile(r"^(\[META\d+\] )+")

# The admin API: errors whose own remedy is an option of Restate's command line. Ours
# replaces the message.
REMEDIES = {
    "META0014": "it does not speak HTTP/2. It is not a worker, or a proxy in front of "
    "the worker does not forward HTTP/2. A worker of `parallelizework serve` speaks "
    "HTTP/2.",
}

# SQL, `sys_invocation.completion_failure`.
CANCELLED_IN_SQL = "[409] cancelled"
KILLED_IN_SQL = "[409] killed"

# SQL, `sys_invocation.last_failure_error_code`: the worker does not answer.
NO_WORKER = "RT0010"
# SQL, `sys_invocation.last_failure`: AWS Lambda refuses a request that is too large.
REQUEST_TOO_LARGE = "RequestTooLargeException"
# SQL, `sys_invocation.last_failure_error_code`: the handler has raised an error that
# Restate retries.
HANDLER_FAILED = "RT0007"

# SQL, `sys_journal.entry_type`.
SEND_ENTRY = "Command: OneWayCall"
RUN_ENTRY = "Command: Run"
RUN_ANSWER_ENTRY = "Notification: Run"
