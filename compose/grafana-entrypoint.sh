#!/bin/sh
# Without a password Grafana would start as admin/admin. Why that is not a default here: docs/decisions/.
case "${GF_SECURITY_ADMIN_PASSWORD:-}" in
  "" | admin)
    echo "Grafana has no password: run 'make up' once, which writes one into compose/.env" \
      "(or set GRAFANA_PASSWORD there, to anything but 'admin')." >&2
    exit 1
    ;;
esac
exec "${GRAFANA_START:-/run.sh}" "$@"
