"""`app` for the command lines of ASGI servers; it serves PARALLELIZEWORK_FAN_OUTS.

Example: hypercorn parallelizework.serving.asgi:app
"""

from parallelizework.serving.app import load_app
from parallelizework.settings import Settings

app = load_app(Settings())
