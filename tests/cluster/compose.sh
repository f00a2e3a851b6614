#!/usr/bin/env bash
# docker-compose.cluster.yml: built anew, on free ports; a run survives the kill of the
# server that it was sent to, which comes back. At the end nothing of it is left.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
compose=(docker-compose)
if docker compose version &>/dev/null; then compose=(docker compose); fi
compose+=(-p "parallelizework-cluster-$$" -f docker-compose.cluster.yml -f tests/compose.yml)

finish() {
  local code=$?
  if ((code)); then "${compose[@]}" logs --no-color --tail 50 || true; fi
  "${compose[@]}" down --volumes --rmi local --timeout 5 || true
  exit "$code"
}

free_ports() {
  .venv/bin/python - <<'PYTHON'
import socket

sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(6)]
print(*(s.getsockname()[1] for s in sockets))
PYTHON
}

ports=$(free_ports)
read -r INGRESS_PORT_{1,2,3} ADMIN_PORT_{1,2,3} <<<"$ports"
export INGRESS_PORT_{1,2,3} ADMIN_PORT_{1,2,3}
trap finish EXIT

export PARALLELIZEWORK_FAN_OUTS=tests/cluster/fan_outs.py:squares
"${compose[@]}" build
"${compose[@]}" up --detach
registered=$(docker wait "$("${compose[@]}" ps --all --quiet register)")
if [[ $registered != 0 ]]; then
  echo "tests/cluster/compose.sh: the workers were not registered" >&2
  exit 1
fi
unset PARALLELIZEWORK_FAN_OUTS

COMPOSE_NODE=$("${compose[@]}" ps --quiet restate-1) .venv/bin/pytest tests/cluster/test_compose.py "$@"
