"""The metrics of vLLM 0.32 that the harness reads, under vLLM's names, labels and bucket bounds."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from experiments.twin.live import LiveEngine, StepReport, Stream

LABELS = ("engine", "model_name")
FIRST_TOKEN_S = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
GAP_S = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(20.0, 40.0, 80.0),
)
REQUEST_S = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0),
    *(120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0),
)
STEP_TOKENS = (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
REQUEST_TOKENS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


class EmulatorMetrics:
    """One registry; `step` is told about every step of the engine, `text` is the page."""

    def __init__(self, model: str) -> None:
        self.registry = CollectorRegistry()
        self._model = model
        self.running = self._gauge("num_requests_running", "Number of requests in model execution batches.")
        self.waiting = self._gauge("num_requests_waiting", "Number of requests waiting to be processed.")
        self.kv_use = self._gauge("kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.")
        self.preemptions = self._counter(
            "num_preemptions", "Cumulative number of preemption from the engine."
        )
        self.prompt_tokens = self._counter("prompt_tokens", "Number of prefill tokens processed.")
        self.generation_tokens = self._counter("generation_tokens", "Number of generation tokens processed.")
        self.step_tokens = self._histogram("iteration_tokens_total", "Tokens per engine step.", STEP_TOKENS)
        self.ttft = self._histogram("time_to_first_token_seconds", "Time to first token.", FIRST_TOKEN_S)
        self.gap = self._histogram("inter_token_latency_seconds", "Inter-token latency.", GAP_S)
        self.tpot = self._histogram("request_time_per_output_token_seconds", "Time per output token.", GAP_S)
        self.e2e = self._histogram("e2e_request_latency_seconds", "End to end request latency.", REQUEST_S)
        self.queue = self._histogram("request_queue_time_seconds", "Time in WAITING phase.", REQUEST_S)
        self.inference = self._histogram(
            "request_inference_time_seconds", "Time in RUNNING phase.", REQUEST_S
        )
        self.prefill = self._histogram("request_prefill_time_seconds", "Time in PREFILL phase.", REQUEST_S)
        self.decode = self._histogram("request_decode_time_seconds", "Time in DECODE phase.", REQUEST_S)
        self.request_prompt = self._histogram("request_prompt_tokens", "Prompt tokens.", REQUEST_TOKENS)
        self.request_output = self._histogram(
            "request_generation_tokens", "Generated tokens.", REQUEST_TOKENS
        )
        success = Counter(
            "vllm:request_success",
            "Count of successfully processed requests.",
            (*LABELS, "finished_reason"),
            registry=self.registry,
        )
        self.success = {reason: success.labels("0", model, reason) for reason in ("stop", "length", "abort")}
        self.steps = Counter("emulator:steps", "Steps of the emulated engine.", registry=self.registry)
        self.lag = Counter("emulator:step_lag_seconds", "Lateness of steps, summed.", registry=self.registry)
        self._last_step_s = 0.0
        self._preempted = 0

    def cache_config(self, engine: LiveEngine) -> None:
        """Publish the size of the KV cache as vLLM does: in labels."""
        limits = engine.scheduler.limits
        labels = {
            "engine": "0",
            "block_size": str(limits.block_size),
            "num_gpu_blocks": str(limits.num_gpu_blocks),
            "kv_cache_size_tokens": str(limits.num_gpu_blocks * limits.block_size),
            "enable_prefix_caching": "False",
        }
        info = Gauge(
            "vllm:cache_config_info",
            "Information of the LLMEngine CacheConfig",
            tuple(labels),
            registry=self.registry,
        )
        info.labels(*labels.values()).set(1)

    def step(self, engine: LiveEngine, report: StepReport) -> None:
        """Count one step."""
        scheduler, step = engine.scheduler, report.step
        self.running.set(scheduler.running)
        self.waiting.set(engine.waiting)
        self.kv_use.set(scheduler.kv_use_ratio)
        self.preemptions.inc(scheduler.preemptions - self._preempted)
        self._preempted = scheduler.preemptions
        prompt = sum(stream.prompt_tokens for stream in report.first)
        generated = step.decode + len(step.first_tokens)
        self.prompt_tokens.inc(prompt)
        self.generation_tokens.inc(generated)
        self.step_tokens.observe(prompt + generated)
        gap_s = report.time_s - self._last_step_s
        for _ in range(step.decode):
            self.gap.observe(gap_s)
        self._last_step_s = report.time_s
        self.steps.inc()
        self.lag.inc(max(0.0, report.lag_s))
        for stream in report.first:
            self.ttft.observe(report.time_s - stream.arrived_s)
        for stream in report.ended:
            self._request(stream, report.time_s)

    def idle(self, engine: LiveEngine) -> None:
        """Refresh the gauges when no step does it (the batch may have emptied through aborts)."""
        self.running.set(engine.scheduler.running)
        self.waiting.set(engine.waiting)
        self.kv_use.set(engine.scheduler.kv_use_ratio)

    def text(self) -> bytes:
        """The page in Prometheus' text format."""
        return generate_latest(self.registry)

    def _request(self, stream: Stream, ended_s: float) -> None:
        scheduled_s = stream.arrived_s if stream.scheduled_s is None else stream.scheduled_s
        first_s = ended_s if stream.first_s is None else stream.first_s
        output = stream.sequences[0].output_tokens
        self.e2e.observe(ended_s - stream.arrived_s)
        self.queue.observe(scheduled_s - stream.arrived_s)
        self.inference.observe(ended_s - scheduled_s)
        self.prefill.observe(first_s - scheduled_s)
        self.decode.observe(ended_s - first_s)
        if output > 1:
            self.tpot.observe((ended_s - first_s) / (output - 1))
        self.request_prompt.observe(stream.prompt_tokens)
        self.request_output.observe(output)
        self.success[stream.finish_reason].inc()

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"vllm:{name}", text, LABELS, registry=self.registry).labels("0", self._model)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"vllm:{name}", text, LABELS, registry=self.registry).labels("0", self._model)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        family = Histogram(f"vllm:{name}", text, LABELS, buckets=buckets, registry=self.registry)
        return family.labels("0", self._model)
