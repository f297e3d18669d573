"""gunicorn in front of one uvicorn worker, which writes the access lines."""

accesslog = "-"
errorlog = "-"
workers = 1
worker_class = "uvicorn_worker.UvicornWorker"
graceful_timeout = 5
