"""The application as a WSGI server wants it."""

import config
from app import create_app

app = create_app({"DATABASE_PATIENCE": config.PAGE_PATIENCE})
