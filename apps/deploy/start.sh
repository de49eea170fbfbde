#!/bin/sh
# Starts the node of a container: makes it the first time, listening on all addresses under the host's name.
# Usage: start.sh DIR [PORT [THE PORT THAT OTHERS SEE]]
set -eu
dir=$1 port=${2:-7480} seen=${3:-${2:-7480}}
if [ ! -e "$dir/config.json" ]; then
  hanse node init "$dir" --no-passphrase --name "$(hostname)" --listen "tls://0.0.0.0:$port"
  sed -i -e "s#\"listen\":#\"advertise\": [\"tls://$(hostname):$seen\"],\n  \"listen\":#" \
    -e 's/"allow_private": false/"allow_private": true/' "$dir/config.json"
fi
exec hanse node run "$dir/config.json"
