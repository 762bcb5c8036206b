"""Checks a configuration as far as that goes without a start: also the files, rules and jobs that it names."""

from __future__ import annotations

import tempfile

from app.container import Container
from app.reload import check as check_files
from config import Config
from config.cluster import ClusterSettings
from jobs import JOBS
from jobs.scheduler import Jobs


def check(config: Config) -> None:
    """Build every part and start none; ConfigError. Its database and its gateways are left alone."""
    check_files(config)
    with tempfile.TemporaryDirectory() as folder:
        alone = {"database": f"sqlite:///{folder}/wxbot.db", "cluster": ClusterSettings()}
        elsewhere = config.model_copy(update=alone)
        Jobs(Container(elsewhere), JOBS)
