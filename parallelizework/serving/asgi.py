"""`app` for the command lines of ASGI servers; it serves what the environment names.

uvicorn parallelizework.serving.asgi:app
"""

from parallelizework.serving.app import load_app
from parallelizework.settings import Settings

app = load_app(Settings())
