"""The GPU's series in the words of dcgm-exporter: short name in series.parquet → PromQL of one series.

DCGM names the reasons for the present clocks in a bit mask whose name has changed; PromQL has no "and" of
bits, so a bit is floor(mask / 2^k) % 2. Hosts with several GPUs: the worst of them.

A card that is cut into MIG instances has each series once per instance, beside that of the whole card in some
set-ups. NVML tells no utilisation of an instance; the profiling field does, where it is collected.
"""

_MASK = "(DCGM_FI_DEV_CLOCKS_EVENT_REASONS or DCGM_FI_DEV_CLOCK_THROTTLE_REASONS)"


def _bit(value: int) -> str:
    return f"floor({_MASK} / {value}) % 2"


# 0x20 software, 0x40 hardware thermal slowdown.
_THERMAL = f"clamp_max({_bit(0x20)} + {_bit(0x40)}, 1)"
# 0x8 hardware slowdown (which heat also raises), 0x80 power brake.
_SLOWDOWN = f"clamp_max({_bit(0x8)} + {_bit(0x80)}, 1)"

_USE = (
    'max by (instance, gpu) (DCGM_FI_PROF_GR_ENGINE_ACTIVE{GPU_I_ID!=""}) '
    "or max by (instance, gpu) (DCGM_FI_DEV_GPU_UTIL) / 100 "
    "or max by (instance, gpu) (DCGM_FI_PROF_GR_ENGINE_ACTIVE)"
)
# The fullest instance of each card: what its neighbours hold is theirs, and is not added.
_MEMORY_MIB = (
    'max by (instance, gpu) (DCGM_FI_DEV_FB_USED{GPU_I_ID!=""}) '
    "or max by (instance, gpu) (DCGM_FI_DEV_FB_USED)"
)

GPU_SERIES = {
    # The busiest: a mean over cards of which the engine has one would never call it busy.
    "gpu_use_ratio": f"max({_USE})",
    "gpu_clock_hz": "avg(DCGM_FI_DEV_SM_CLOCK) * 1e6",
    "gpu_temperature_c": "max(DCGM_FI_DEV_GPU_TEMP)",
    "gpu_memory_used_bytes": f"sum({_MEMORY_MIB}) * 1048576",
    "gpu_power_cap": f"max({_bit(0x4)})",
    "gpu_thermal_slowdown": f"max({_THERMAL})",
    "gpu_power_brake": f"max({_SLOWDOWN} * (1 - {_THERMAL}))",
}
