#!/usr/bin/env bash
# An example says what docs/examples.md says that it does: the block after <!-- output: NAME -->, where NAME is that of
# the program. Usage: example_output.sh PROGRAM
set -euo pipefail
document=$(cd "$(dirname "$0")/../.." && pwd)/docs/examples.md
name=$(basename "$1")
expected=$(awk -v mark="<!-- output: $name -->" '$0 == mark { on = 1; next } on && /^```/ { if (on++ == 2) exit; next } on' "$document")
[ -n "$expected" ] || { echo "$document has no output of $name"; exit 1; }
actual=$("$1") # it has to end well, too
diff <(echo "$expected") <(echo "$actual")
echo "$actual"
