"""Why a stretch of production was slow: the gateway's recording and Prometheus beside comparable hours."""
