"""A Django project whose view makes a run when its transaction is committed."""

from __future__ import annotations

from typing import Final

MANAGE: Final = '''"""Django's commands for this project."""

import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
execute_from_command_line(sys.argv)
'''

SETTINGS: Final = '''"""Settings of the project. MAINSPRING_URL names the server of runs."""

import os
from pathlib import Path

HERE = Path(__file__).parent
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "only for development")
DEBUG = "DJANGO_SECRET_KEY" not in os.environ
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
ROOT_URLCONF = "urls"
INSTALLED_APPS: list[str] = []
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": HERE / "db.sqlite3"}}
USE_TZ = True
MAINSPRING: dict[str, str] = {}
'''

URLS: Final = '''"""The one view: an order, and the run that writes its receipt."""

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.urls import path
from tasks import receipt

from mainspring.contrib.django import on_commit


def create(request: HttpRequest, order: int) -> JsonResponse:
    with transaction.atomic():
        # Order.objects.create(…) would stand here
        on_commit(receipt.call(order))  # checked now, triggered after the commit
    return JsonResponse({"order": order}, status=202)


urlpatterns = [path("orders/<int:order>", create)]
'''

TASKS: Final = '''"""Tasks of this project; they may use its models."""

import os

import django
from django.apps import apps

from mainspring import logger, task

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
if not apps.ready:
    django.setup()


@task
def receipt(order: int) -> str:
    """Write the receipt of an order."""
    logger.info("writing a receipt", order=order)
    return f"receipt for order {order}"
'''

TEST: Final = '''"""A request makes a run once its transaction is committed."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

from tasks import receipt  # sets Django up

from django.test import RequestFactory
from urls import create


def test_an_order_becomes_a_receipt(jobs) -> None:
    answer = create(RequestFactory().post("/orders/7"), 7)
    assert answer.status_code == 202
    jobs.assert_triggered(receipt, order=7)
'''

FILES: Final = {
    "manage.py": MANAGE,
    "settings.py": SETTINGS,
    "urls.py": URLS,
    "tasks.py": TASKS,
    "test_tasks.py": TEST,
}
NEXT: Final = "mainspring dev   (after: pip install django)"
THEN: Final = "python manage.py runserver"
