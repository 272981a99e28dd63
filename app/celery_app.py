"""The Celery application as workers and beat want it."""

import config
from app import create_app

if config.broker_url() == config.NO_BROKER:
    raise SystemExit("No broker is known: start the portal on this data folder (KAOJI_HOME), or set BROKER_URL")
app = create_app().extensions["celery"]
