"""The Celery application as workers and beat want it."""

from app import create_app

app = create_app().extensions["celery"]
