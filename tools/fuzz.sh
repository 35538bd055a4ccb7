#!/usr/bin/env bash
# Fuzzes every parser, or those named: `tools/fuzz.sh SECONDS [TARGET…]`. Ends at the first finding.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=$1
shift
fuzz=Fuzz/.build/release/fuzz
targets=("$@")
[ ${#targets[@]} -gt 0 ] ||
  mapfile -t targets < <(sed -n 's/^  case \([A-Za-z]*\)$/\1/p' Fuzz/Sources/fuzz/FuzzTarget.swift)
# The crash reporter of Swift would outlive the fuzzer and hold its output open.
export SWIFT_BACKTRACE=enable=no WT_FUZZ_FIXTURES=$PWD/Tests/Fixtures

for target in "${targets[@]}"; do
  work=Fuzz/.build/corpus/$target
  mkdir -p "$work/seeds" "$work/found"
  # Inputs that once broke something are tried first.
  regressions=Fuzz/Regressions/$target
  log=$work/log
  if ! WT_FUZZ_TARGET=$target WT_FUZZ_SEEDS=$work/seeds "$fuzz" -runs=0 >"$log" 2>&1 ||
    ! WT_FUZZ_TARGET=$target timeout -k 10 $((seconds + 120)) "$fuzz" "$work/found" "$work/seeds" \
      $([ -d "$regressions" ] && echo "$regressions") -dict=Fuzz/checkpoint.dict \
      -max_total_time="$seconds" -rss_limit_mb=512 -malloc_limit_mb=256 -timeout=5 \
      -max_len=65536 -artifact_prefix="$work/" -print_final_stats=1 >"$log" 2>&1; then
    tail -n 40 "$log"
    echo "$target: a finding, see $work"
    exit 1
  fi
  # A fuzzer that does not see what an input reaches only throws dice.
  if grep -q "no interesting inputs were found" "$log"; then
    echo "$target: the fuzzer is blind: the program reports no coverage"
    exit 1
  fi
  awk -v target="$target" '/number_of_executed_units/ { runs = $2 } /peak_rss_mb/ { rss = $2 }
    match($0, /cov: [0-9]+/) { coverage = substr($0, RSTART + 5, RLENGTH - 5) }
    END { printf "%-18s %10d inputs, %5d places reached, peak %d MiB, no finding\n",
      target, runs, coverage, rss }' "$log"
done
