"""The half that holds the user's code: sessions, slots, execution, child processes. No database."""

from mainspring.worker.capture import Capture as Capture
from mainspring.worker.channel import ChildConfig as ChildConfig
from mainspring.worker.link import InProcessLink as InProcessLink
from mainspring.worker.reload import reload_on_change as reload_on_change
from mainspring.worker.session import Session as Session
from mainspring.worker.supervise import News as News
from mainspring.worker.supervise import Supervisor as Supervisor
