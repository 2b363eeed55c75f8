#!/bin/sh
# Alertmanager reads no environment: this writes its configuration from the settings below, then starts it. The same file
# serves the compose stack and a native one. A setting that is empty is not set; each takes several addresses, with blanks
# between them.
#   ALERT_PAGE_WEBHOOK, ALERT_TICKET_WEBHOOK   get Alertmanager's JSON by POST (PagerDuty and others take it through a bridge)
#   ALERT_PAGE_SLACK, ALERT_TICKET_SLACK       incoming webhooks of Slack, Mattermost, …
set -euf
umask 077

receiver() { # NAME WEBHOOKS SLACKS: what is told, also when it is over
  printf "  - name: %s\n" "$1"
  [ -z "$2" ] || printf "    webhook_configs:\n"
  for url in $2; do
    printf "      - {url: '%s', send_resolved: true}\n" "$url"
  done
  [ -z "$3" ] || printf "    slack_configs:\n"
  for url in $3; do
    printf "      - {api_url: '%s', send_resolved: true, title: '{{ .CommonLabels.alertname }} ({{ .Status }})'," "$url"
    printf " text: '{{ range .Alerts }}{{ .Annotations.summary }} {{ .Annotations.runbook }} {{ end }}'}\n"
  done
}

for name in ALERT_PAGE_WEBHOOK ALERT_TICKET_WEBHOOK ALERT_PAGE_SLACK ALERT_TICKET_SLACK; do
  eval "urls=\${$name:-}"
  for url in $urls; do
    case "$url" in
      *\'*) bad=yes ;;
      http://?* | https://?*) bad= ;;
      *) bad=yes ;;
    esac
    if [ -n "$bad" ]; then
      echo "$name has an address that is none: it must begin with http:// or https:// and have no quote in it" >&2
      exit 2
    fi
  done
done

config=${ALERTMANAGER_CONFIG:-/tmp/alertmanager.yml}
{
  cat << 'END'
# Written at every start by monitoring/alertmanager/entrypoint.sh.
route:
  receiver: ticket
  group_by: [alertname, job]
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 24h
  routes:
    # People are hurt now: told at once, again every hour, and soon when it is over.
    - matchers: ['severity="page"']
      receiver: page
      group_wait: 5s
      group_interval: 30s
      repeat_interval: 1h
# What follows from a cause is not told beside it.
inhibit_rules:
  - source_matchers: ['alertname="EngineDown"']
    target_matchers: ['alertname="UpstreamFailing"']
receivers:
END
  receiver page "${ALERT_PAGE_WEBHOOK:-}" "${ALERT_PAGE_SLACK:-}"
  receiver ticket "${ALERT_TICKET_WEBHOOK:-}" "${ALERT_TICKET_SLACK:-}"
} > "$config"

exec "${ALERTMANAGER_START:-/bin/alertmanager}" --config.file="$config" "$@"
