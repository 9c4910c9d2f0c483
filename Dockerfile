# Two images of one source: `api` has no torch and stays small, `worker` trains.
#   docker build --target api -t pretext-api .
#   docker build --target worker -t pretext-worker .
ARG PYTHON_IMAGE=python:3.12-slim

FROM ${PYTHON_IMAGE} AS base
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1

# The requirements alone decide about the layers that take long; a change of the source leaves those as they are.
FROM base AS requirements
WORKDIR /requirements
COPY pyproject.toml requirements.lock ./
RUN python -c "import tomllib; \
    project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
    extras = project['optional-dependencies']; \
    [open(f'{name}.txt', 'w').write('\n'.join(project['dependencies'] + extras[name])) for name in ('api', 'worker', 'dashboard')]" \
    && python -m venv /opt/pretext

FROM base AS source
WORKDIR /source
COPY . .
RUN pip wheel --no-deps --wheel-dir /source/dist . ./client

FROM base AS run
RUN useradd --system --uid 10001 --home-dir /data --no-create-home pretext \
    && install -d -o pretext -m 0700 /data /data/blobs /data/cache /data/scratch
ENV PATH=/opt/pretext/bin:$PATH \
    PRETEXT_DATA_DIR=/data \
    PRETEXT_BLOBS_URL=file:///data/blobs \
    PRETEXT_CACHE_DIR=/data/cache \
    PRETEXT_SCRATCH_DIR=/data/scratch
WORKDIR /data
ENTRYPOINT ["pretext-server"]

FROM requirements AS api-packages
RUN /opt/pretext/bin/pip install -c requirements.lock -r api.txt -r dashboard.txt

FROM run AS api
COPY --from=api-packages /opt/pretext /opt/pretext
COPY --from=source /source/dist /dist
RUN pip install --no-deps /dist/*.whl
ENV PRETEXT_HOST=0.0.0.0
USER pretext
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["python", "-c", \
    "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ.get(\"PRETEXT_PORT\", 8000)}/readyz', timeout=4)"]
CMD ["api"]

FROM requirements AS worker-packages
RUN /opt/pretext/bin/pip install -c requirements.lock -r worker.txt

FROM run AS worker
COPY --from=worker-packages /opt/pretext /opt/pretext
COPY --from=source /source/dist /dist
RUN pip install --no-deps /dist/*.whl
USER pretext
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["pretext-server", "worker", "--check"]
CMD ["worker"]
