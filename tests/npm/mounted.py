"""An application with everything of ours below a path of its own; prints where it is."""

import os
import socket

import uvicorn
from starlette.applications import Starlette

from mainspring.contrib import asgi
from tests.npm import tasks

app = Starlette()
asgi.mount(app, "/inner/jobs", database="jobs.db", key=os.environ["MAINSPRING_SECRET_KEY"])

if __name__ == "__main__":
    assert tasks.greet
    bound = socket.create_server(("127.0.0.1", 0))
    print(f"at http://127.0.0.1:{bound.getsockname()[1]}/inner/jobs", flush=True)  # noqa: T201
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run([bound])
