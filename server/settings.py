"""Settings of the service: environment variables `SPARC_...`, a `.env` file, or flags of `sparc-serve`."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Everything that can be set; `docs/settings.md` explains each."""

    model_config = SettingsConfigDict(env_prefix="SPARC_", env_file=".env", extra="ignore")

    bundle: Path = Path("bundles/storybook")
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    device: str = "auto"  # "auto", "cpu", "cuda" or "cuda:N"
    threads: int = Field(0, ge=0)  # CPU threads of the models; 0 leaves it to torch
    queue: int = Field(32, ge=1)  # jobs that may wait for the device before requests are refused
    deadline_s: float = Field(30, gt=0)  # longest wait for one device job
    max_upload_bytes: int = Field(10 * 2**20, ge=1)
    max_upload_pixels: int = Field(40_000_000, ge=1)
    upload_cache_bytes: int = Field(64 * 2**20, ge=1)
    look_cache_bytes: int = Field(256 * 2**20, ge=0)  # tokens of pictures that heatmaps looked at, on the device
