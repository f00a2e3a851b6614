"""The log of a worker, on stderr: one line per record, as text or as JSON.

configuration.py  configure and adopt: where records go, in which format
records.py        RecordFilter: adds the invocation, and drops records of a replay
json_lines.py     JsonLines: a record as one line of JSON
fields.py         the fields of the current attempt, and of the current trace
uncaught.py       errors and warnings that Python prints itself, as records
"""

from parallelizework.serving.logs.configuration import adopt, configure
from parallelizework.serving.logs.uncaught import fatal_errors_logged

__all__ = ["adopt", "configure", "fatal_errors_logged"]
