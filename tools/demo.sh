#!/usr/bin/env bash
# The main job on a small checkpoint of SAM's form, one command after the other.
set -euo pipefail
wt=$(readlink -f "$1")
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp Tests/Fixtures/torch/sam_tiny.pth "$folder/sam_tiny.pth"
cd "$folder"

show() {
  printf '\n$ wt %s\n' "$*"
  "$wt" "$@"
}

show import sam_tiny.pth
show inspect sam_tiny.safetensors --filter 'pos_embed|blocks.0.attn' --stats
show diff sam_tiny.pth sam_tiny.safetensors
show export sam_tiny.safetensors -o sam_tiny.again.pth --to torch
show diff sam_tiny.pth sam_tiny.again.pth
printf '\nThe import holds what the pickle held, and nothing in the pickle was run.\n'
