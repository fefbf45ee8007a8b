# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What the hosts' root folders hold. All of this runs inside the keeper.
#
# A host's root is, from below: the machine's root, the lab layer, the base (the same for all hosts), its
# own. The machine's own data, units and settings are hidden in the base, so that none of its services
# acts.

# Units that would reach for the machine, or only cost time.
LAB_MASK=(
  systemd-modules-load systemd-sysctl systemd-pstore systemd-timesyncd systemd-networkd systemd-resolved
  systemd-random-seed systemd-binfmt systemd-udevd systemd-udev-trigger systemd-hwdb-update
  systemd-rfkill systemd-firstboot ldconfig console-getty getty@tty1 e2scrub_reap apt-daily
)
LAB_ENABLE=(
  libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd-tcp.socket libvirtd-tls.socket
  virtlogd.socket virtlockd.socket ssh.socket
)

base_hide() { # UPPER
  local dir
  for dir in "$LAB_DIR"/mnt/layer/root/*; do
    dir=${dir##*/}
    case $dir in
      bin | sbin | lib* | usr | etc | var | proc | sys | dev | run | tmp) ;;
      *) whiteout "$1" "$dir" ;;
    esac
  done
  whiteout "$1" etc/systemd etc/libvirt etc/pki etc/polkit-1 etc/fstab etc/crypttab etc/default/libvirtd \
    etc/default/libvirt-guests etc/nftables.conf etc/machine-id etc/nsswitch.conf etc/vsmd etc/network \
    etc/ssh var/lib/libvirt var/lib/systemd var/lib/vsmd var/lib/polkit-1 var/cache/libvirt var/log var/tmp \
    var/spool/cron var/lib/docker var/lib/containers var/lib/postgresql var/lib/machines
}

base_files() { # ROOT
  local r=$1 file
  mkdir -p "$r"/{home,root,srv/lab,mnt,opt}
  mkdir -p "$r"/var/log/{journal,libvirt/qemu} "$r"/var/lib/{systemd,libvirt/images}
  mkdir -p "$r"/etc/{libvirt/hooks,libvirt/qemu,polkit-1/rules.d,vsmd}
  mkdir -p "$r"/etc/systemd/{system,system-generators}
  mkdir -m 1777 "$r/var/tmp"
  chmod 700 "$r/root"
  for file in fstab crypttab; do
    : >"$r/etc/$file"
  done
  printf '%s\n' 'passwd: files systemd' 'group: files systemd' 'shadow: files' 'hosts: files' \
    'services: files' 'protocols: files' >"$r/etc/nsswitch.conf"
  printf '[Journal]\nStorage=persistent\nRateLimitBurst=0\n' >"$r/etc/systemd/journald.conf"
  printf '[Manager]\nDefaultTimeoutStopSec=20s\n' >"$r/etc/systemd/system.conf"
}

# qboot in SeaBIOS's place: it starts the guest in 0.4 s, where nested KVM takes 5 s for SeaBIOS (measured; i440fx and
# q35). In its place, as a <loader> would be part of what the tests move.
base_firmware() { # ROOT
  cp --remove-destination "$1/usr/share/qemu/qboot.rom" "$1/usr/share/seabios/bios-256k.bin"
}

base_units() { # ROOT
  local r=$1 unit generator
  for unit in "${LAB_MASK[@]}"; do
    ln -sf /dev/null "$r/etc/systemd/system/$unit.service"
  done
  # No generator has a say here: no fstab, no init scripts of the machine, no cloud, no network plan.
  for generator in "$r"/{usr/lib,usr/local/lib,etc}/systemd/system-generators/*; do
    [ -e "$generator" ] && ln -sf /dev/null "$r/etc/systemd/system-generators/${generator##*/}"
  done
  mkdir -p "$r"/etc/systemd/system/{sockets,multi-user}.target.wants
  for unit in "${LAB_ENABLE[@]}"; do
    ln -s "/lib/systemd/system/$unit" "$r/etc/systemd/system/sockets.target.wants/$unit"
  done
  ln -s /lib/systemd/system/libvirtd.service "$r/etc/systemd/system/multi-user.target.wants/"
  ln -s ../lab-ready.service "$r/etc/systemd/system/multi-user.target.wants/"
  ln -sf /lib/systemd/system/multi-user.target "$r/etc/systemd/system/default.target"
  # Says when the host is up, to whoever waits at the FIFO. Not a part of the boot that it waits for.
  cat >"$r/etc/systemd/system/lab-ready.service" <<'EOF'
[Service]
ExecStart=/bin/sh -c 'state=$$(systemctl is-system-running --wait); echo "%H $$state" 1<>/srv/lab/.ready'
EOF
}

# The machine's people have no account in the hosts. Two of our own do.
base_users() { # ROOT
  local r=$1 file name id
  for file in passwd group; do
    awk -F: '$3 < 1000 || $3 > 60000' "$r/etc/$file" >"$r/etc/$file.new"
    cat "$r/etc/$file.new" >"$r/etc/$file"
    rm "$r/etc/$file.new"
  done
  for name in alice:2001 bob:2002; do
    id=${name#*:} name=${name%:*}
    echo "$name:x:$id:$id::/home/$name:/bin/bash" >>"$r/etc/passwd"
    echo "$name:x:$id:" >>"$r/etc/group"
    echo "$name:*:19000:0:99999:7:::" >>"$r/etc/shadow"
    mkdir -m 700 "$r/home/$name"
    chown "$id:$id" "$r/home/$name"
  done
  rm -f "$r"/etc/{passwd,group,shadow,gshadow,subuid,subgid}-
}

# From each account to the same one on the other hosts. One key for all: nobody else gets in here.
base_ssh() { # ROOT
  local r=$1 name
  mkdir -p "$r/etc/ssh"
  chroot "$r" ssh-keygen -q -t ed25519 -N '' -C lab -f /etc/ssh/ssh_host_ed25519_key
  echo "hosta,hostb,hostc,10.77.0.*,fd00:77::* $(cut -d' ' -f1,2 "$r/etc/ssh/ssh_host_ed25519_key.pub")" \
    >"$r/etc/ssh/ssh_known_hosts"
  printf '%s\n' 'UsePAM yes' 'PasswordAuthentication no' 'KbdInteractiveAuthentication no' \
    'PrintMotd no' >"$r/etc/ssh/sshd_config"
  : >"$r/etc/ssh/ssh_config"
  for name in root home/alice home/bob; do
    mkdir -m 700 "$r/$name/.ssh"
    cp "$r/etc/ssh/ssh_host_ed25519_key" "$r/$name/.ssh/id_ed25519"
    cp "$r/etc/ssh/ssh_host_ed25519_key.pub" "$r/$name/.ssh/authorized_keys"
    chown -R --reference="$r/$name" "$r/$name/.ssh"
  done
}

# A tree made by "DESTDIR=TREE meson install" with prefix=/usr. Copied, not laid over: on a merged /usr a
# folder TREE/lib would hide the link /lib and with it all libraries.
# Folders that are there stay as they are, at every moment: tar would close them to others while it writes, and a
# polkitd that reads its rules just then finds none.
product_install() { # ROOT TREE
  local top to
  for top in "$2"/*; do
    to=$1/${top##*/}
    [ ! -L "$to" ] || to=$1/$(readlink "$to")
    mkdir -p "$to"
    cp -r --remove-destination "$top/." "$to/"
  done
  product_settings "$1"
}

# Plain TCP: most tests are about the service. Those about TLS change the file.
product_settings() { # ROOT
  mkdir -p "$1/etc/vsmd"
  printf '[Service]\nAuthenticationType=32770\nDefaultTransportType=5\n' >"$1/etc/vsmd/vsmd.conf"
  cp "$1/etc/vsmd/vsmd.conf" "$1/etc/vsmd/vsmd.conf.lab"
}

# Without a tree: what is installed on the machine, whose /etc is hidden for the most part.
base_product() { # ROOT [TREE]
  local r=$1 unit
  if [ -n "${2-}" ]; then
    product_install "$r" "$2"
  else
    product_settings "$r"
    [ ! -d /etc/libvirt/hooks/qemu.d ] || cp -r /etc/libvirt/hooks/qemu.d "$r/etc/libvirt/hooks/"
  fi
  for unit in "$r"/{usr/lib,lib,etc}/systemd/system/vsmd.service; do
    if [ -e "$unit" ]; then
      chroot "$r" systemd-sysusers 2>&1 | grep -v '^Creating ' >&2 || true
      ln -sf "${unit#"$r"}" "$r/etc/systemd/system/multi-user.target.wants/vsmd.service"
      return
    fi
  done
}

base_prepare() { # [TREE]
  local r=$LAB_DIR/mnt/base/root upper=$LAB_DIR/mnt/base/upper
  mkdir -p "$upper"
  base_hide "$upper"
  overlay base "$LAB_DIR/mnt/layer/upper:/"
  mount --bind /dev "$r/dev" # for the tools that are run in there; hosts see the upper folder, not this
  base_files "$r"
  base_firmware "$r"
  base_units "$r"
  base_users "$r"
  base_ssh "$r"
  base_product "$r" "$@"
  certs_prepare
  certs_common "$r"
}

host_libvirt() { # ROOT LETTER
  cat >"$1/etc/libvirt/libvirtd.conf" <<EOF
host_uuid = "$(cat "/proc/sys/kernel/random/uuid")"
auth_tcp = "none"
auth_tls = "none"
EOF
  # Root, because post-copy needs userfaultfd, which the kernel gives to nobody else by default. The
  # host's own cgroups may be read-only (a machine with version 1), so QEMU is not put into any. Owners of
  # files in the shared folder are left alone: each host would remember them in the same attribute.
  # Consoles are written by QEMU itself: virtlogd would rotate them.
  cat >"$1/etc/libvirt/qemu.conf" <<EOF
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
cgroup_controllers = [ ]
security_driver = "none"
stdio_handler = "file"
migration_host = "$(host_ip4 "$2")"
EOF
}

host_root() { # LETTER
  local name r=$LAB_DIR/mnt/$1/root other
  name=$(host_name "$1")
  overlay "$1" "$LAB_DIR/mnt/base/upper:$LAB_DIR/mnt/layer/upper:/"
  tr -d - </proc/sys/kernel/random/uuid >"$r/etc/machine-id"
  echo "$name" >"$r/etc/hostname"
  {
    echo "127.0.0.1 localhost"
    echo "::1 localhost"
    for other in $(host_letters); do
      echo "$(host_ip4 "$other") $(host_name "$other")"
      echo "$(host_ip6 "$other") $(host_name "$other")"
    done
  } >"$r/etc/hosts"
  host_libvirt "$r" "$1"
  certs_host "$r" "$1"
  cat >"$r/etc/systemd/system/lab-net.service" <<EOF
[Unit]
DefaultDependencies=no
Before=network-pre.target network.target network-online.target sockets.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -ec 'ip link set lo up; ip addr replace $(host_ip4 "$1")/24 dev host0; \
  ip addr replace $(host_ip6 "$1")/64 dev host0 nodad; ip link set host0 up'
EOF
  mkdir -p "$r/etc/systemd/system/sysinit.target.wants"
  ln -s ../lab-net.service "$r/etc/systemd/system/sysinit.target.wants/"
}
