"""`--check`: validate a configuration with its files, rules and jobs, without starting anything."""

from __future__ import annotations

import tempfile

from app.container import Container
from app.reload import check as check_files
from config import Config
from config.cluster import ClusterSettings
from jobs import JOBS
from jobs.scheduler import Jobs


def check(config: Config) -> None:
    """Build all parts without starting them; raise ConfigError. The configured database and gateways are not used."""
    check_files(config)
    with tempfile.TemporaryDirectory() as folder:
        overrides = {"database": f"sqlite:///{folder}/wxbot.db", "cluster": ClusterSettings()}
        copy = config.model_copy(update=overrides)
        Jobs(Container(copy), JOBS)
