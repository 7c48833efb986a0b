# SPARC Explorer: builds the demo bundle and serves it. Stages: packages are installed in one, run in another.
FROM python:3.11-slim-bookworm AS install
WORKDIR /app
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --requirement requirements.lock
COPY sparc_core sparc_core
COPY index_build index_build
COPY server server
COPY frontend frontend
RUN /venv/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim-bookworm
COPY --from=install /venv /venv
RUN useradd --uid 10001 --create-home sparc && mkdir /data && chown sparc /data
USER 10001
WORKDIR /data
ENV PATH=/venv/bin:$PATH SPARC_HOST=0.0.0.0 SPARC_BUNDLE=/data/bundles/storybook PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8000
HEALTHCHECK --start-period=30s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz')"]
CMD ["sparc-serve"]
