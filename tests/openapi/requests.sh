#!/bin/sh
# Checks every request of whole programmes against HMRC's OpenAPI files: Prism
# stands between ctc-ready and the simulator, and tells what violates them.
#
#   tests/openapi/requests.sh [PROGRAMME...]
#
# It needs HMRC's files (CTC_READY_REFERENCE), python3 with PyYAML, npx with
# @stoplight/prism-cli, and ctc-ready (CTC_READY; else the release build).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
binary=${CTC_READY:-$root/target/release/ctc-ready}
files=$(cd "$root" && cd "${CTC_READY_REFERENCE:-../shared/reference}" && pwd)/openapi
prism=${PRISM:-npx --yes @stoplight/prism-cli}
scale=${TIME_SCALE:-60}
only=$*
work=$(mktemp -d)
pids=
trap 'kill $pids 2>/dev/null || true; rm -rf "$work"' EXIT INT TERM
export CTC_READY_KEYS="$work/keys"

check() { # PROGRAMME PORT SETTINGS FILE...
    programme=$1 port=$2 settings=$3
    shift 3
    case " ${only:-$programme} " in *" $programme "*) ;; *) return 0 ;; esac
    python3 "$here/merged.py" "$work/api.json" "$@"
    "$binary" simulate --port "$port" --time-scale "$scale" >"$work/simulator.log" 2>&1 &
    pids="$pids $!"
    $prism proxy "$work/api.json" "http://127.0.0.1:$port" --port $((port + 1)) \
        >"$work/prism.log" 2>&1 &
    pids="$pids $!"
    until grep -q "is listening" "$work/prism.log"; do
        kill -0 $! || { cat "$work/prism.log"; exit 1; }
        sleep 0.2
    done
    project="$work/$port"
    mkdir "$project"
    "$binary" init --project "$project" --programme "$programme" --software Checked \
        --software-version 1 --flows standard-departure,pre-lodged-departure,arrival \
        --procedures normal,simplified --combination A --side gb >/dev/null
    printf '%s' "$settings" | while IFS== read -r key value; do
        sed -i "s|^# $key = .*|$key = $value|" "$project/ctc-ready.toml"
    done
    said=0
    : "${LIMIT:=900}"
    timeout "$LIMIT" "$binary" run --project "$project" --all --environment simulator --wait \
        --time-scale "$scale" --base-url "http://127.0.0.1:$((port + 1))" \
        >"$work/run.log" 2>"$work/notes.log" || said=$?
    requests=$(grep -c "Forwarding" "$work/prism.log" || true)
    violations=$(grep -c "Violation: request\|terminated with error" "$work/prism.log" || true)
    echo "$programme: exit code $said, $requests requests, $violations violations"
    if [ "$said" -ne 0 ] || [ "$violations" -ne 0 ]; then
        grep "Violation: request\|terminated with error" "$work/prism.log" | sort | uniq -c | head -20
        tail -30 "$work/run.log"
        exit 1
    fi
}

# Pulling needs a client id; the simulator knows this application.
pulling='pull=true
client-id="simulator-client"
'
export CTC_READY_CLIENT_SECRET=simulator-secret
api="$files/ctc-traders"
check ncts6 28101 "" "$api-3.0.yaml"
check ncts6 28103 "$pulling" "$api-3.0.yaml" "$files/push-pull-notifications-1.0.yaml"
check ncts5-final 28105 "" "$api-2.1.yaml"
check ncts5-transition 28107 "" "$api-2.0.yaml"
check guarantee-balance 28109 "" "$files/guarantee-balance-2.0.yaml"
