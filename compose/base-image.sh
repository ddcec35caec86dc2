#!/bin/bash
# Makes the two images that compose/Dockerfile begins with, where no registry has them: Debian
# by debootstrap from the machine's own mirror, Node and npm from their npm packages. Needs root.
# usage: compose/base-image.sh NAME_OF_DEBIAN NAME_OF_NODE
set -euo pipefail
debian=$1 node=$2
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

command -v debootstrap > /dev/null || apt-get install -y -qq --no-install-recommends debootstrap > /dev/null
mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Identifier: Packages' |
  awk '$2 == "bookworm" { print $1; exit }')
root=$dir/root
if ! debootstrap --variant=minbase bookworm "$root" "${mirror:-http://deb.debian.org/debian}" > "$dir/log"; then
  cat "$dir/log" >&2
  exit 1
fi
# As debian:bookworm-slim leaves out: documentation, translations, what apt has fetched.
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/log/*.log \
  "$root"/usr/share/{doc,man,info,locale}/*
printf 'path-exclude /usr/share/%s/*\n' doc man info locale > "$root/etc/dpkg/dpkg.cfg.d/slim"
# The mirror's security updates, and what the machine trusts, as the machine has them.
cp -rL /etc/apt/sources.list.d/debian.sources "$root/etc/apt/sources.list.d/" 2> /dev/null &&
  rm "$root/etc/apt/sources.list" || true
tar -C "$root" -c . | docker import --change 'CMD ["bash"]' - "$debian" > /dev/null

mkdir -p "$root/usr/local/bin" "$root/usr/local/lib/node_modules" "$root/etc/ssl/certs"
npm install --prefix "$dir/npm" --no-save --loglevel=error npm@11 > /dev/null
cp node_modules/node/bin/node "$root/usr/local/bin/" # as the lockfile has it
cp -r "$dir/npm/node_modules/npm" "$root/usr/local/lib/node_modules/"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" 2> /dev/null || true
tar -C "$root" -c . | docker import \
  --change 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt' - "$node" > /dev/null
