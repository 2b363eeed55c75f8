"""Why a stretch of production was slow: from the gateway's recording and Prometheus, beside comparable hours."""
