"""Configuration of bots and of processes of bot.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jobs import JOBS
from tests.ports import free_port

NO_JOBS = [{"name": job.name, "enabled": False} for job in JOBS]  # tests run jobs themselves


def write(folder: Path, **changes: Any) -> Path:
    """Write a config with an unreachable gateway."""
    assistant = {"account": "weimi1001", "endpoint": f"127.0.0.1:{free_port()}", "token": "t0ken"}
    config = {
        "assistants": [assistant],
        "database": f"sqlite:///{folder}/wxbot.db",
        "api": {"port": free_port()},
        "language": "en",
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(config | changes))
    return path
