# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The lab layer: what hosts need and the machine does not have, installed into an overlay over the machine's
# own root. Nothing is installed or started on the machine. All of this runs inside the keeper.

LAB_PACKAGES=(
  systemd systemd-sysv dbus libpam-systemd polkitd
  libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-clients libvirt-dbus
  qemu-system-x86 qemu-utils gnutls-bin iproute2 nftables openssh-server openssh-client
)

# Whole folders are hidden by one whiteout in the upper layer before it is mounted, without walking
# through them.
whiteout() { # UPPER PATH...
  local upper=$1 path
  shift
  for path; do
    [ -e "$LAB_DIR/mnt/layer/root/$path" ] || continue
    mkdir -p "$upper/$(dirname "$path")"
    mknod "$upper/$path" c 0 0
  done
}

overlay() { # NAME LOWERDIRS: mounts mnt/NAME/root
  local dir=$LAB_DIR/mnt/$1
  mkdir -p "$dir/upper" "$dir/work" "$dir/root"
  mount -t overlay overlay -o "lowerdir=$2,upperdir=$dir/upper,workdir=$dir/work" "$dir/root"
}

missing_packages() {
  local package
  for package in "${LAB_PACKAGES[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

# apt is slow: what it made is kept, as long as the machine's packages stay the same.
layer_cache() {
  local sum
  sum=$({ cat /var/lib/dpkg/status; echo "${LAB_PACKAGES[*]}"; } | sha256sum)
  echo "${VSM_LAB_CACHE:-/var/cache/vsmd-lab}/layer-${sum:0:16}.tar"
}

layer_install() { # PACKAGE...
  local root=$LAB_DIR/mnt/layer/root

  # The documented way to keep maintainer scripts from starting anything; systemctl sees a chroot as well.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod +x "$root/usr/sbin/policy-rc.d"
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  chroot "$root" env -i "PATH=$LAB_PATH" DEBIAN_FRONTEND=noninteractive \
    sh -c 'apt-get -q update && apt-get -q -y --no-install-recommends -o Dpkg::Options::=--force-confdef \
      -o Dpkg::Options::=--force-confold install "$@" && apt-get clean && rm -rf /var/lib/apt/lists/*' \
    sh "$@"
  umount -l "$root/dev" "$root/proc"
  rm -f "$root/usr/sbin/policy-rc.d"
}

layer_prepare() {
  local cache missing
  mkdir -p "$LAB_DIR/mnt/layer/upper"
  missing=$(missing_packages)
  cache=$(layer_cache)

  if [ -z "$missing" ]; then
    overlay layer /
    return
  fi

  if [ -f "$cache" ]; then
    tar -C "$LAB_DIR/mnt/layer/upper" --xattrs --xattrs-include='*' -xf "$cache"
    overlay layer /
    return
  fi

  overlay layer /
  # shellcheck disable=SC2086 # a list of names
  layer_install $missing
  mkdir -p "${cache%/*}"
  rm -f "${cache%/*}"/layer-*.tar
  tar -C "$LAB_DIR/mnt/layer/upper" --xattrs --xattrs-include='*' -cf "$cache.new" .
  mv "$cache.new" "$cache"
}
