#!/usr/bin/env bash
# The calculator of docs/embedding.md: the clients over the network say what the local ones say.
# Usage: calculator.sh LOCAL NETWORKED
set -euo pipefail
local_program=$1 networked=$2
coproc server { "$networked"; }
read -r identity ticket <&"${server[0]}"
here=$("$local_program" | sort)
there=$("$networked" "$identity" "$ticket" | sort)
eval "exec ${server[1]}>&-" # its input ends, so it stops
wait "$server_PID"
[ "$(wc -l <<<"$here")" = 6 ] || { echo "the local program said: $here"; exit 1; }
diff <(echo "$here") <(echo "$there")
echo "$there"
