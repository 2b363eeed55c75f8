# The load generator: Locust and loadtests/.
FROM docker.io/library/python:3.11-slim-bookworm
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/headroom
COPY requirements.lock ./
RUN pip install --no-cache-dir -c requirements.lock locust numpy orjson httptools psutil \
 && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin headroom
COPY loadtests loadtests
RUN python -m compileall -q loadtests && install -d -m 1777 runs
USER 10001:10001
EXPOSE 8089
# What Locust and numpy would like to write under a home goes to the one writable place.
ENV HOME=/tmp
ENTRYPOINT ["python", "-m", "locust", "-f", "loadtests/locustfile.py"]
