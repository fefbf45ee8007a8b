# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# For tests of connections that are not the lab's plain TCP: source it after libhosts.sh.

# vsmd of these hosts with its own defaults. The lab's settings are for plain TCP.
as_shipped() { # HOST...
  local host settings=$VSM_NAME.ServiceSettingData
  for host; do
    host_run "$host" rm -f /etc/vsmd/vsmd.conf
    host_run "$host" systemctl restart vsmd.service
    assert_eq "$(prop "$host" "$VSM_ROOT" "$settings" AuthenticationType)" 32768 "AuthenticationType"
    assert_eq "$(prop "$host" "$VSM_ROOT" "$settings" DefaultTransportType)" 3 "DefaultTransportType"
  done
}

# Whether libvirt there takes plain TCP. Whoever asks it meanwhile would start it, and it would take the socket.
listen() { # HOST yes|no
  host_run "$1" systemctl stop vsmd.service
  host_run "$1" systemctl stop libvirtd.service libvirtd-tcp.socket
  [ "$2" = no ] || host_run "$1" systemctl start libvirtd-tcp.socket
  host_run "$1" systemctl start vsmd.service
}

# The keys are root's, whom the lab lets in; the service is to be root over there as well.
give_keys() { # HOST...
  local host
  for host; do
    host_run "$host" sh -ec 'install -d -o vsmd -g vsmd -m 700 /var/lib/vsmd/.ssh
      install -o vsmd -g vsmd -m 600 /root/.ssh/id_ed25519 /var/lib/vsmd/.ssh/
      printf "User root\nBatchMode yes\n" >/var/lib/vsmd/.ssh/config
      chown vsmd: /var/lib/vsmd/.ssh/config; chmod 600 /var/lib/vsmd/.ssh/config'
  done
}

take_keys() { # HOST...
  local host
  for host; do
    host_run "$host" rm -rf /var/lib/vsmd/.ssh
  done
}

use_ssh() { # HOST DEFAULT-TRANSPORT
  call "$1" "$VSM_ROOT" "$VSM_NAME" ModifyServiceSettings 'a{sv}' 2 AuthenticationType u 32769 \
    DefaultTransportType q "$2" >/dev/null
}
