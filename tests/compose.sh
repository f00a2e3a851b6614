#!/usr/bin/env bash
# The integration tests against docker-compose.yml, built anew, on free ports; at the
# end nothing of it is left. Arguments go to pytest. Four files are left out: they take
# long, test how runs are coordinated, and run on three kinds of local server.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
compose=(docker-compose)
if docker compose version &>/dev/null; then compose=(docker compose); fi
compose+=(-p "parallelizework-test-$$" -f docker-compose.yml -f tests/compose.yml)

finish() {
  local code=$?
  if ((code)); then "${compose[@]}" logs --no-color || true; fi
  "${compose[@]}" down --volumes --rmi local --timeout 5 || true
  exit "$code"
}

free_ports() {
  .venv/bin/python - <<'PYTHON'
import socket

sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in sockets))
PYTHON
}

ports=$(free_ports)
read -r INGRESS_PORT ADMIN_PORT <<<"$ports"
export INGRESS_PORT ADMIN_PORT
trap finish EXIT

PARALLELIZEWORK_FAN_OUTS=$(.venv/bin/python -m tests.integration.targets)
export PARALLELIZEWORK_FAN_OUTS PARALLELIZEWORK_MAX_PAUSE=0.05

"${compose[@]}" build
# Returns when server and worker are healthy; the health checks bound the wait.
"${compose[@]}" up --detach
registered=$(docker wait "$("${compose[@]}" ps --all --quiet register)")
if [[ $registered != 0 ]]; then
  echo "tests/compose.sh: the worker was not registered" >&2
  exit 1
fi

unset PARALLELIZEWORK_FAN_OUTS PARALLELIZEWORK_MAX_PAUSE
PARALLELIZEWORK_INGRESS_URL=http://127.0.0.1:$INGRESS_PORT \
  PARALLELIZEWORK_ADMIN_URL=http://127.0.0.1:$ADMIN_PORT \
  .venv/bin/pytest tests/integration \
  --ignore-glob '*/test_poison.py' --ignore-glob '*/test_random.py' \
  --ignore-glob '*/test_scale.py' --ignore-glob '*/test_steering.py' "$@"
