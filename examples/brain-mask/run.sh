#!/usr/bin/env bash
# From a scan to a segmenter and its report, one command after the other. README.md tells the story.
#
# Usage: examples/brain-mask/run.sh [OUT]      (OUT is brain-mask-out unless given)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
wt=$(readlink -f "${WT:-$here/../../.build/release/wt}") || true
[ -x "$wt" ] || { echo "no program at $wt: build it with 'make build', or name it with WT=" >&2; exit 1; }
mkdir -p "${1:-brain-mask-out}"
cd "${1:-brain-mask-out}"

show() {
  printf '\n$ wt %s\n' "$*"
  "$wt" "$@"
}

templates=/usr/share/mricron/templates
if [ ! -e $templates/ch2.nii.gz ]; then
  templates=$PWD/mricron/usr/share/mricron/templates
  [ -e "$templates/ch2.nii.gz" ] || {
    echo "fetching Debian's mricron-data (16 MB), which nothing is installed of"
    (mkdir -p mricron && cd mricron && apt-get download -q mricron-data && dpkg -x mricron-data*.deb .)
  }
fi
rm -rf scans held-out
python3 "$here/cut.py" "$templates/ch2.nii.gz" "$templates/ch2bet.nii.gz" scans
for part in images labels; do
  mkdir -p held-out/$part
  cp scans/$part/slab{02,05,08,11}.nii.gz held-out/$part
done
python3 "$here/make_base.py" base.safetensors

show prepare scans -o data.h5 --profile "$here/brain.yaml" --force
show adapt base.safetensors -o model.safetensors --image-size 128 --class-names brain --rank 8 \
  --adapter-channels 48 --force
show train model.safetensors data.h5 -o run --steps 500 --warmup 25 --lr 2e-3 --lr-exponent 0.9 \
  --batch-size 4 --augment none --train-pattern . --validate data.h5
show merge-fact run/checkpoints/step-00000500/delta.safetensors -o brain.safetensors --force
show predict brain.safetensors held-out/images -o predictions --preview preview.png --force
show eval predictions held-out/labels --class-names brain --report report.html --force
printf '\nPictures: %s/preview-*.png, and report.html beside them.\n' "$PWD"
