#!/usr/bin/env bash
# The Debian root that the images stand on, as a tar file: images/debian.sh FILE. Needs mmdebstrap, root, and a Debian mirror.
# A shell, the usual small tools, Python, and the C++ library, which the expressions of the operator need; no package manager and no
# perl, which nothing needs that runs.
set -euo pipefail
file=${1:?where to put it}
command -v mmdebstrap >/dev/null || { echo "mmdebstrap is needed (on Debian: apt-get install mmdebstrap)" >&2; exit 1; }
mkdir -p "$(dirname "$file")"
options=()
for folder in doc man locale info; do options+=("--dpkgopt=path-exclude=/usr/share/$folder/*"); done
mmdebstrap --quiet --format=tar --variant=essential --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr "${options[@]}" \
  --include=usr-is-merged,ca-certificates,procps,python3,libstdc++6 \
  --customize-hook='rm -rf "$1"/var/cache/* "$1"/var/lib/apt "$1"/var/log/* "$1"/usr/bin/perl* "$1"/usr/lib/*/perl-base' \
  bookworm "$file.new" 2>"$file.log" || { cat "$file.log" >&2; exit 1; }
mv "$file.new" "$file"
