#!/usr/bin/env bash
# The diff that docs/embedding.md shows is the difference of the two programs. Usage: embedding_diff.sh SOURCE_DIR
set -euo pipefail
cd "$1"
shown=$(sed -n '/^```diff$/,/^```$/p' docs/embedding.md | sed '1d;$d')
real=$(cd apps/examples && diff -U1 --label local_calculator.cpp --label networked_calculator.cpp \
  local_calculator.cpp networked_calculator.cpp) || true
diff <(echo "$shown") <(echo "$real") || { echo "docs/embedding.md shows another diff (<) than the files have (>)"; exit 1; }
