"""A Celery worker for `tests.integrations.jobs`."""

from celery import Celery

from tests.integrations import jobs

app = Celery("jobs", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": f"{jobs.FOLDER}/queue",
    "data_folder_out": f"{jobs.FOLDER}/queue",
    "control_folder": f"{jobs.FOLDER}/control",
}
# A job whose child was killed is tried again, as RQ does when it is told to.
run = app.task(jobs.run, acks_late=True, reject_on_worker_lost=True)
