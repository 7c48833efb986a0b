# SPARC Explorer: builds bundles and serves them. docs/deploy.md says how to run it and what was verified.
ARG BASE=python:3.11-slim-bookworm

# Packages are installed here, with pip; the final stage has neither pip nor this stage's caches.
FROM ${BASE} AS install
# "cpu": torch without CUDA where TORCH_INDEX answers, or else, and with "cuda", the builds that the lock names.
ARG TORCH=cpu
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /app
COPY requirements-runtime.lock docker/install.py ./
RUN python -m venv --without-pip /venv \
    && python install.py requirements-runtime.lock /venv/bin/python "$TORCH" "$TORCH_INDEX"
COPY pyproject.toml README.md LICENSE ./
COPY sparc_core sparc_core
COPY index_build index_build
COPY server server
COPY frontend frontend
RUN pip --python /venv/bin/python install --no-cache-dir --no-deps .

FROM ${BASE}
ARG VERSION=1.0.0
LABEL org.opencontainers.image.title="SPARC Explorer" \
      org.opencontainers.image.description="See which concepts vision and language models share" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
# /data: bundles and cached steps. /cache: models from the hub. Both belong to the user, so that new volumes do too.
RUN python -m pip uninstall --yes --quiet pip setuptools wheel \
    && groupadd --gid 10001 sparc && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data sparc \
    && install --directory --owner 10001 --group 10001 /data /cache
COPY --from=install /venv /venv
COPY --chmod=755 docker/start.sh /usr/local/bin/sparc-start
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    XDG_CACHE_HOME=/cache HF_HOME=/cache/huggingface \
    SPARC_HOST=0.0.0.0 SPARC_BUNDLE=/data/bundles/storybook
USER 10001:10001
WORKDIR /data
VOLUME ["/data", "/cache"]
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=2m --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ.get(\"SPARC_PORT\", 8000)}/readyz', timeout=4)"]
CMD ["sparc-start", "serve"]
