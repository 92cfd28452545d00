# One image for all: `lookstream worker catalogue`, `lookstream worker shopper`, `lookstream gateway`.
# LOCK chooses the pinned dependencies: requirements.lock has torch with CUDA (6 GB); docs/docker.md says how
# to make one without.
FROM python:3.11.17-slim-bookworm AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    UV_NO_CACHE=1 \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy
WORKDIR /build
COPY requirements-uv.lock ./
RUN python -m pip install --require-hashes -r requirements-uv.lock \
    && python -m venv --without-pip /opt/lookstream
ARG LOCK=requirements.lock
# uv reads it itself; unset, everything comes from the index that the lock file was made with.
ARG UV_TORCH_BACKEND
COPY ${LOCK} ./
RUN uv pip install --python /opt/lookstream/bin/python --require-hashes -r "${LOCK}"
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY models models
COPY vectorstore vectorstore
COPY streams streams
RUN uv build --wheel --no-build-isolation --python /opt/lookstream/bin/python --out-dir dist \
    && uv pip install --python /opt/lookstream/bin/python --no-deps dist/*.whl

FROM python:3.11.17-slim-bookworm
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin lookstream \
    && install -d -o lookstream -g lookstream -m 0700 /data /data/inline \
    && install -d -m 0755 /media
COPY --from=builder /opt/lookstream /opt/lookstream
COPY deploy/healthcheck.py /opt/lookstream/healthcheck.py
ENV PATH=/opt/lookstream/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LOOKSTREAM_DATA_DIR=/data \
    LOOKSTREAM_MEDIA_ROOT=/media \
    LOOKSTREAM_METRICS_PORT=9400
USER 10001:10001
WORKDIR /data
VOLUME /data
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 \
    CMD ["python", "/opt/lookstream/healthcheck.py"]
ENTRYPOINT ["lookstream"]
CMD ["--help"]
