#!/usr/bin/env bash
# Prints the line coverage of a folder after `swift test --enable-code-coverage`, and fails when it
# is below a percentage.
set -euo pipefail
folder=$1 least=$2
binary=$(find .build/release/ -maxdepth 1 -name '*PackageTests.xctest')
profile=.build/release/codecov/default.profdata
tools=$(dirname "$(readlink -f "$(command -v swift)")")
files=$(git ls-files "$folder/*.swift")
report=$("$tools/llvm-cov" report "$binary" -instr-profile="$profile" $files)
share=$(awk '$1 == "TOTAL" { print $10 }' <<<"$report")
echo "line coverage of $folder: $share (at least $least% wanted)"
awk -v share="${share%\%}" -v least="$least" 'BEGIN { exit !(share >= least) }'
