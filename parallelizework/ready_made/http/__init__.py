"""`HttpFanOut`, HTTP requests in bulk, and the client that it is made of."""

from parallelizework.ready_made.http.client import HttpClient, Reply
from parallelizework.ready_made.http.fan_out import http_fan_out
from parallelizework.ready_made.http.request import Options, Request, Secret

__all__ = ["HttpClient", "Options", "Reply", "Request", "Secret", "http_fan_out"]
