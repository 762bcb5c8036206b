"""Several processes on one database."""

from __future__ import annotations

from typing import Final

from pydantic import Field, field_validator, model_validator

from config.section import Section, key_error, web_address

MIN_LEASE: Final = 3.0  # seconds; members send heartbeats about three times per lease and stop one second early


class ClusterSettings(Section):
    """`advertise`: where the other processes reach this one; `capacity`: the most accounts that it takes."""

    enabled: bool = False
    advertise: str = ""
    capacity: int = Field(500, ge=1)
    lease_seconds: float = Field(5, ge=MIN_LEASE, le=60)

    @field_validator("advertise")
    @classmethod
    def _address(cls, value: str) -> str:
        return web_address(value).rstrip("/") if value else value

    @model_validator(mode="after")
    def _check_advertise(self) -> ClusterSettings:
        if self.enabled and not self.advertise:
            raise key_error("advertise", "expected a URL like http://10.0.0.5:8080, because cluster.enabled is true")
        return self
