"""The file of a pipeline that deploys. No tasks."""

from __future__ import annotations

from typing import Final

GITHUB: Final = """\
# Tests every push. Then main is deployed to prod, and a pull request to a branch of preview, which
# is archived when the pull request is closed.
#
# Needed once, in the settings of the repository:
#   variable  MAINSPRING_URL          where the server is
#   secret    MAINSPRING_PROD_KEY     a secret key of prod
#   secret    MAINSPRING_PREVIEW_KEY  a secret key of preview
# Pull requests of forks are given no secrets; they are tested only.
name: deploy

on:
  push:
    branches: [main]
  pull_request:
    types: [opened, synchronize, reopened, closed]

permissions:
  contents: read

concurrency:
  group: deploy-${{ github.head_ref || github.ref }}

env:
  MAINSPRING_URL: ${{ vars.MAINSPRING_URL }}
  BRANCH: ${{ github.head_ref }}

jobs:
  test:
    if: github.event.action != 'closed'
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: pip install mainspring pytest
      - run: if [ -f requirements.txt ]; then pip install -r requirements.txt; fi
      - run: pytest

  prod:
    needs: test
    if: github.event_name == 'push'
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: pip install mainspring
      - run: if [ -f requirements.txt ]; then pip install -r requirements.txt; fi
      # repeating it is safe: the same commit with the same code is the same version
      - run: mainspring deploy --env prod --external-id "$GITHUB_SHA" --preflight --strict
        env:
          MAINSPRING_SECRET_KEY: ${{ secrets.MAINSPRING_PROD_KEY }}

  preview:
    needs: test
    if: github.event_name == 'pull_request' && !github.event.pull_request.head.repo.fork
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: pip install mainspring
      - run: if [ -f requirements.txt ]; then pip install -r requirements.txt; fi
      - run: mainspring deploy --env preview --branch "$BRANCH" --external-id "$GITHUB_SHA"
        env:
          MAINSPRING_SECRET_KEY: ${{ secrets.MAINSPRING_PREVIEW_KEY }}

  archive:
    if: github.event.action == 'closed' && !github.event.pull_request.head.repo.fork
    runs-on: ubuntu-latest
    steps:
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: pip install mainspring
      - run: mainspring branches archive "$BRANCH"
        env:
          MAINSPRING_SECRET_KEY: ${{ secrets.MAINSPRING_PREVIEW_KEY }}
"""

FILES: Final = {"github": (".github/workflows/deploy.yml", GITHUB)}
"""By the name of the host: where the file goes, and its text."""
