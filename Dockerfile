# The service in a container: `docker build -t dibs .`, or see compose.yaml.
#
# What is installed is what requirements/serve.txt locks, by version and hash, so two builds of one
# commit hold the same. Python is that of the lock; your builds may pin the digest of its image.

FROM python:3.11-slim-bookworm AS build

WORKDIR /src
RUN python -m venv /opt/dibs && mkdir -m 700 /data
COPY requirements/serve.txt requirements/serve.txt
RUN /opt/dibs/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/serve.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
# Nothing is fetched any more: what builds is locked, too.
RUN /opt/dibs/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation --no-index .

FROM python:3.11-slim-bookworm

COPY --from=build /opt/dibs /opt/dibs
# The one folder that is written to: a volume, since the rest of the file system may be read-only.
COPY --from=build --chown=10001:10001 /data /data
WORKDIR /data
ENV PATH=/opt/dibs/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 DIBS_HOME=/data
USER 10001:10001
VOLUME ["/data"]
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:5000/healthz', timeout=4)"]
CMD ["dibs", "serve", "--host", "0.0.0.0", "--port", "5000"]
