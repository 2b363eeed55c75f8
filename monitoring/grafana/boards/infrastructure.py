"""Infrastructure: the GPU through DCGM, the host, the processes, and Prometheus itself."""

from __future__ import annotations

from monitoring.grafana.model import Board, Panel, Query, Row, Threshold


def board() -> Board:
    """The dashboard `headroom-infrastructure`."""
    return Board(
        uid="headroom-infrastructure",
        title="Headroom / Infrastructure",
        description="GPU (needs dcgm-exporter), host (needs node-exporter), processes, monitoring.",
        rows=(Row("GPU", _gpu()), Row("Host", _host()), Row("Processes and monitoring", _processes())),
    )


def _gpu() -> tuple[Panel, ...]:
    return (*_gpu_use(), *_gpu_clocks_and_power(), *_gpu_energy_and_errors())


def _gpu_use() -> tuple[Panel, ...]:
    return (
        Panel(
            "GPU utilisation",
            "Share of time with a kernel running. 100 % does not mean that the card could do no more.",
            "percentunit",
            (
                Query("gpu:utilisation:ratio", "GPU {{gpu}}"),
                Query("DCGM_FI_DEV_MEM_COPY_UTIL / 100", "GPU {{gpu}}, memory busy"),
            ),
            top=1,
        ),
        Panel(
            "GPU memory",
            "vLLM takes its share at the start and keeps it; use within it is the KV cache panel's. "
            "A card in MIG instances has a line for each.",
            "mbytes",
            (
                Query("DCGM_FI_DEV_FB_USED", "GPU {{gpu}} {{GPU_I_PROFILE}} {{GPU_I_ID}} used"),
                Query("DCGM_FI_DEV_FB_FREE", "GPU {{gpu}} {{GPU_I_PROFILE}} {{GPU_I_ID}} free"),
            ),
            stacked=True,
        ),
    )


def _gpu_clocks_and_power() -> tuple[Panel, ...]:
    return (
        Panel(
            "Clocks held down",
            "1 while the card holds its clocks down: for its power cap (work), or "
            "for heat or a hardware limit (a fault).",
            "bool_on_off",
            (
                Query("gpu:clocks_capped_by_power:bool", "GPU {{gpu}} power cap"),
                Query("gpu:clocks_slowed:bool", "GPU {{gpu}} heat or fault"),
            ),
            steps=True,
            top=1,
        ),
        Panel("GPU temperature", "Of the chip.", "celsius", (Query("DCGM_FI_DEV_GPU_TEMP", "GPU {{gpu}}"),)),
        Panel("GPU power", "Power drawn.", "watt", (Query("DCGM_FI_DEV_POWER_USAGE", "GPU {{gpu}}"),)),
        Panel(
            "GPU clocks",
            "A falling SM clock at full load is heat or power.",
            "hertz",
            (
                Query("DCGM_FI_DEV_SM_CLOCK * 1e6", "GPU {{gpu}} SM"),
                Query("DCGM_FI_DEV_MEM_CLOCK * 1e6", "GPU {{gpu}} memory"),
            ),
        ),
    )


def _gpu_energy_and_errors() -> tuple[Panel, ...]:
    return (
        Panel(
            "Energy per output token",
            "Joules drawn by all cards, divided by output tokens of all engines. Watts × seconds per token.",
            "short",
            (
                Query(
                    "sum(rate(DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION[1m])) / 1000 "
                    "/ (sum(engine:generation_tokens:rate1m) > 0)",
                    "J per token",
                ),
            ),
        ),
        Panel(
            "Last XID error",
            "0: none since the exporter started. Anything else: see the runbook.",
            "short",
            (Query("gpu:xid_last:number", "GPU {{gpu}} {{GPU_I_ID}}"),),
            kind="stat",
            thresholds=(Threshold(1, "red"),),
        ),
    )


def _host() -> tuple[Panel, ...]:
    return (
        Panel(
            "Host CPU",
            "Share of all cores that is not idle.",
            "percentunit",
            (
                Query(
                    '1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[$__rate_interval]))',
                    "{{instance}}",
                ),
                Query(
                    "rate(node_pressure_cpu_waiting_seconds_total[$__rate_interval])", "waiting for a core"
                ),
            ),
            top=1,
        ),
        Panel(
            "Host memory",
            "Share in use (what cannot be given to a new program).",
            "percentunit",
            (Query("1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes", "{{instance}}"),),
            top=1,
        ),
        Panel(
            "Disk",
            "Share of each file system in use.",
            "percentunit",
            (Query("1 - node_filesystem_avail_bytes / node_filesystem_size_bytes", "{{mountpoint}}"),),
            top=1,
        ),
        Panel(
            "Network",
            "Bytes per second of each interface.",
            "Bps",
            (
                Query("rate(node_network_receive_bytes_total[$__rate_interval])", "{{device}} in"),
                Query("rate(node_network_transmit_bytes_total[$__rate_interval])", "{{device}} out"),
            ),
        ),
        Panel(
            "Load",
            "Processes that run or want to, mean of a minute.",
            "short",
            (Query("node_load1", "{{instance}}"),),
        ),
        Panel(
            "Disk busy",
            "Share of the time in which the device had work.",
            "percentunit",
            (Query("rate(node_disk_io_time_seconds_total[$__rate_interval])", "{{device}}"),),
            top=1,
        ),
    )


def _processes() -> tuple[Panel, ...]:
    return (
        Panel(
            "CPU by process",
            "Cores used by the gateway, by the engine's API process and by Prometheus.",
            "short",
            (
                Query("rate(gateway_cpu_seconds_total[$__rate_interval])", "gateway"),
                Query(
                    'rate(process_cpu_seconds_total{job=~"engine|prometheus"}[$__rate_interval])', "{{job}}"
                ),
            ),
        ),
        Panel(
            "Memory by process",
            "Resident memory.",
            "bytes",
            (
                Query("gateway_resident_bytes", "gateway"),
                Query('process_resident_memory_bytes{job=~"engine|prometheus"}', "{{job}}"),
            ),
        ),
        Panel(
            "Targets",
            "1: the last scrape worked.",
            "short",
            (Query("up", "{{job}} {{instance}}"),),
            steps=True,
            top=1,
        ),
        Panel(
            "Duration of scrapes",
            "Near the scrape interval (1 s) samples are lost.",
            "s",
            (Query("scrape_duration_seconds", "{{job}}"),),
        ),
        Panel(
            "Samples per second",
            "What Prometheus stores.",
            "ops",
            (Query("rate(prometheus_tsdb_head_samples_appended_total[$__rate_interval])", "samples"),),
        ),
    )
