"""Settings of the service: environment variables `SPARC_...`, a `.env` file, or flags of `sparc-serve`."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from server.logs import LogFormat, LogLevel


class Settings(BaseSettings):
    """Everything that can be set; `docs/settings.md` explains each."""

    # Empty is not set: compose files pass variables on whether they have a value or not.
    model_config = SettingsConfigDict(env_prefix="SPARC_", env_file=".env", env_ignore_empty=True, extra="ignore")

    bundle: Path = Path("bundles/storybook")
    verify: bool = False  # hash every file of bundles when they are opened
    beside: Annotated[tuple[Path, ...], NoDecode] = ()  # more bundles; in the environment separated by commas
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    device: str = "auto"  # "auto", "cpu", "cuda" or "cuda:N"
    threads: int = Field(0, ge=0)  # CPU threads of the models; 0 leaves it to torch
    queue: int = Field(32, ge=1)  # jobs that may wait for the device before requests are refused
    search_threads: int = Field(2, ge=1)  # that search among codes and features
    search_queue: int = Field(256, ge=1)  # searches that may wait before requests are refused
    deadline_s: float = Field(30, gt=0)  # longest that a request may take
    stuck_s: float = Field(300, ge=0)  # a job that runs for longer ends the process; 0: never
    max_upload_bytes: int = Field(10 * 2**20, ge=1)
    max_upload_pixels: int = Field(40_000_000, ge=1)
    upload_cache_bytes: int = Field(64 * 2**20, ge=1)
    look_cache_bytes: int = Field(256 * 2**20, ge=0)  # tokens of pictures that heatmaps looked at, on the device
    reading_cache_bytes: int = Field(64 * 2**20, ge=0)  # texts that were read; as many again for pictures
    thumbnail_cache_bytes: int = Field(64 * 2**20, ge=0)
    api_keys: Path | None = None  # file of accepted keys; without one, everybody may ask
    rate_limit: str = ""  # of each client, as in "600/minute" or "20/second; 600/minute"
    allowed_hosts: str = ""  # public names of the service, separated by commas; "*" for any
    trusted_proxies: str = ""  # addresses whose X-Forwarded-For is believed, separated by commas
    log_format: LogFormat = "text"
    log_level: LogLevel = "warning"

    @field_validator("beside", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
