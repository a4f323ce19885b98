"""A zygote of its own for tests: `python -m tests.worker.zygote_host FD PARENT [watch]`."""

import gc
import socket
import sys

from mainspring.sdk.registry import registry
from mainspring.worker.isolation.body import work
from mainspring.worker.isolation.zygote import live
from tests.worker import isolated_tasks

if __name__ == "__main__":
    assert isolated_tasks
    registry.specs()  # as a scan does
    gc.freeze()
    end = socket.socket(fileno=int(sys.argv[1]))
    end.set_inheritable(False)
    live(end, int(sys.argv[2]), work, grouped="watch" not in sys.argv)
