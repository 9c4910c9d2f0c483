"""Celery workers: claim a job, run it in a child process, write down what happened. Never imports torch."""
