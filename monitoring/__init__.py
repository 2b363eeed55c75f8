"""Prometheus rules, Grafana dashboards and the runbook. Code makes the dashboards: `monitoring.grafana`."""
