# The emulator: a stand-in for vLLM with its routes and metric names, for any machine.
FROM docker.io/library/python:3.11-slim-bookworm
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/headroom
COPY requirements.lock ./
RUN pip install --no-cache-dir -c requirements.lock \
      httptools orjson prometheus-client pydantic uvicorn uvloop \
 && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin headroom
COPY experiments experiments
RUN python -m compileall -q experiments
USER 10001:10001
EXPOSE 8000
ENTRYPOINT ["python", "-m", "experiments.twin.emulator"]
