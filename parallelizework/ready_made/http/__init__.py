"""`HttpFanOut`: HTTP requests in bulk, and the client that sends the requests.

fan_out.py                   HttpFanOut: its split, execute and aggregate
task.py                      the task: requests, rows, or a file of rows
shard.py                     a piece of the task, expanded into subtasks
subtask.py                   one request of a run, and the row in its result
rows_file.py                 reading a file of rows, in ranges of bounded size
portable.py                  which values JSON can carry through a run
requests/request.py          the fields of a request, and which are valid
requests/urls.py             which URLs are valid
requests/row_to_request.py   a template and a row become a request
requests/secrets.py          headers whose values only the worker has
hosts/allowed_hosts.py       which hosts are allowed, and at which addresses
hosts/addresses.py           which addresses are public, private or special
hosts/checked_network.py     connections to allowed addresses only
sending/client.py            HttpClient: one attempt at a request
sending/host_limiter.py      how many requests are sent to a host at once
sending/rate_limits.py       how a rate limit (Retry-After) is obeyed
sending/redirects.py         which redirects are followed
sending/retries.py           which statuses are retried, and when
sending/errors.py            which network errors are retried, and all messages
sending/body.py              reading a response's body, up to a limit
sending/transport.py         httpx over pools of connections
results/result_lines.py      the fields of a response, a failure and the answer
results/charset.py           the text of a response's body
results/partial_result.py    responses on their way to the answer or the file
results/results_file.py      writing the file of results
"""

from parallelizework.ready_made.http.fan_out import http_fan_out
from parallelizework.ready_made.http.requests.request import Options, Request, Secret
from parallelizework.ready_made.http.sending.client import HttpClient, Reply

__all__ = ["HttpClient", "Options", "Reply", "Request", "Secret", "http_fan_out"]
