"""How gunicorn serves the portal: `gunicorn --config python:app.serving app.wsgi:app`, by the launcher or a unit."""

from __future__ import annotations

from config import bind as _bind

_host, _port = _bind()
bind = f"[{_host}]:{_port}" if ":" in _host else f"{_host}:{_port}"
workers = 2
threads = 8
worker_class = "app.serving_worker.HeaderClock"
timeout = 120
graceful_timeout = 8
# A browser keeps its connection for minutes; closing it after two seconds meets requests that are on their way.
keepalive = 75
control_socket_disable = True
loglevel = "warning"
accesslog = "-"
access_log_format = 'access %(h)s %({x-request-id}o)s "%(r)s" %(s)s %(b)s %(M)sms'
# Requests of people are short; what is longer than this is no address of ours.
limit_request_line = 8190
limit_request_fields = 60
forwarded_allow_ips = "127.0.0.1"
