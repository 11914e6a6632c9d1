"""Many runs: a grid of settings, done by processes on this machine or by the workers of a Dask cluster."""

from quatnet.sweep.grid import jobs_of
from quatnet.sweep.jobs import Job, Standing, standing
from quatnet.sweep.run import run_jobs

__all__ = ["Job", "Standing", "jobs_of", "run_jobs", "standing"]
