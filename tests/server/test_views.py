"""The addresses of the dashboard: those of its router and those that the server answers."""

import re

from mainspring.server.api.pages import VIEWS
from tools.environment import ROOT


def test_the_server_answers_the_address_of_every_page() -> None:
    router = (ROOT / "dashboard" / "src" / "router.tsx").read_text()
    paths = re.findall(r'\broute\("/([^"]*)"', router)
    assert {path.partition("/")[0] for path in paths if path} == set(VIEWS)
    deep = [path for path in paths if not re.fullmatch(r"\w*(/\$\w+)?", path)]
    assert deep == [], "the server answers /{view} and /{view}/{item}"
