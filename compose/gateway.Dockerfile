# The gateway alone: its package and what that imports, as an unprivileged user, one folder to write to.
# Build from the repository's root: docker build -f compose/gateway.Dockerfile .
# This Python is built with PGO (--enable-optimizations --with-lto), which is worth some 15 % of the gateway's CPU.
FROM docker.io/library/python:3.11-slim-bookworm
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/headroom
COPY requirements.lock ./
RUN pip install --no-cache-dir -c requirements.lock \
      aiohttp fastapi httptools httpx orjson prometheus-client psutil pydantic structlog uvicorn uvloop \
 && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin headroom
COPY gateway gateway
RUN python -m compileall -q gateway && install -d -m 700 -o 10001 -g 10001 /var/lib/headroom
USER 10001:10001
EXPOSE 8080
ENV GATEWAY_HOST=0.0.0.0
ENTRYPOINT ["python", "-m", "gateway"]
