#!/bin/sh
# Checks the alerting rules, runs their tests, and checks the scrape configuration, with promtool of the Debian package
# `prometheus`. PROMTOOL names another one.
set -eu
cd "$(dirname "$0")"
promtool="${PROMTOOL:-promtool}"
if ! command -v "$promtool" >/dev/null; then
  echo "check.sh: there is no $promtool. Install the package prometheus, or set PROMTOOL to its promtool." >&2
  exit 1
fi
"$promtool" check config prometheus.yml
"$promtool" check rules backups.yml backups-compose.yml
"$promtool" test rules tests/*.test.yml
