#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Who may include whom (README, "Layout"), and what must not be called in the daemon: libvirt's thread owns
# GLib's default main context, so whatever calls back "later" would do so on the wrong thread.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"

src=${VSM_SOURCE_ROOT-}/src
[ -d "$src/daemon" ] || skip_all "no source tree (installed); 'meson test' runs this"

# Includes of ours in these files, as "file: header"
includes() { # FILE...
  grep -HoE '^#include "(shared|daemon|client)/[^"]+"' "$@" | sed -E 's/#include "([^"]+)"/ \1/'
}

# Fails unless all includes of FILES match REGEX.
may_include() { # LAYER REGEX FILE...
  local layer=$1 regex=$2 wrong
  shift 2
  wrong=$(includes "$@" | grep -vE ": ($regex)\$" || true)
  [ -z "$wrong" ] || { note "$wrong"; fail "$layer includes only what is below it"; }
  ok "$layer includes only what is below it"
}

files() { # NAME... of src/daemon without ending
  local name
  for name; do
    for name in "$src/daemon/$name".[ch]; do
      [ ! -e "$name" ] || printf '%s\n' "$name"
    done
  done
}

shared='shared/[a-z-]+\.h'
pure='daemon/(actions|bring-back-plan|bring-back-record|changes|compat|compat-cpuid|converge|effect|evacuation-options|evacuation-record|history-entry|host-file|host-name|key|log|move-type|network-data|pace|percent|plan|plan-private|policy-rules|reason|request|request-keys|request-private|service-facts|settings-data|settings-file|settings-keys|store|store-private|subnet|user-name)\.h'
plumbing='daemon/(address|bus|bus-variant|polkit|worker)\.h'
virt='daemon/virt/[a-z-]+\.h'

mapfile -t pure_files < <(files actions bring-back-plan bring-back-record changes compat compat-blob compat-cpuid converge effect evacuation-options evacuation-record history-entry host-file host-name key log \
  move-type network-data pace percent plan plan-place plan-private plan-reasons plan-search plan-time policy-rules reason \
  request request-changes request-keys request-private request-resolve service-facts settings-data settings-file settings-keys store store-effect store-job store-number store-private store-schema \
  store-text subnet user-name)
mapfile -t plumbing_files < <(files address bus bus-variant polkit worker)

may_include "shared" "$shared" "$src"/shared/*.[ch]
may_include "pure" "$shared|$pure" "${pure_files[@]}"
may_include "virt" "$shared|$pure|$virt" "$src"/daemon/virt/*.[ch]
may_include "plumbing" "$shared|$pure|$plumbing" "${plumbing_files[@]}"
may_include "client" "$shared|client/[a-z-]+\.h" "$src"/client/*.[ch]

wrong=$(includes "$src"/daemon/*.[ch] | grep 'daemon/virt/' | grep -v 'virt/virt\.h$' || true)
[ -z "$wrong" ] || { note "$wrong"; fail "only virt.h is seen outside virt"; }
ok "only virt.h is seen outside virt"

wrong=$(grep -lE '#include <libvirt/|\bvir(Connect|Domain|Network|Event)[A-Z]' "$src"/daemon/*.[ch] "$src"/client/*.[ch] \
  "$src"/shared/*.[ch] || true)
[ -z "$wrong" ] || { note "$wrong"; fail "only virt knows libvirt"; }
ok "only virt knows libvirt"

wrong=$(grep -nE '#include <systemd/sd-(bus|event)' "$src"/daemon/virt/*.[ch] "${pure_files[@]}" || true)
[ -z "$wrong" ] || { note "$wrong"; fail "virt and pure know no bus and no loop"; }
ok "virt and pure know no bus and no loop"

wrong=$(grep -nE '\b(g_idle_add|g_timeout_add|g_task_|g_bus_|g_dbus_|GTask|GDBus|g_main_loop|g_file_[a-z_]*async)' \
  -r "$src/daemon" | grep -vE '^[^:]+:[0-9]+: ?(/?\*| \*)|/\*.*(GTask|GDBus)' || true)
[ -z "$wrong" ] || { note "$wrong"; fail "nothing that calls back on GLib's default main context"; }
ok "nothing that calls back on GLib's default main context"

wrong=$(grep -rnE '"org\.(example|freedesktop)\.' "$src" --include='*.[ch]' | grep -vE '/shared/names\.h:|org\.freedesktop' |
  grep -v 'example:' || true)
[ -z "$wrong" ] || { note "$wrong"; fail "our names are spelt in names.h only"; }
ok "our names are spelt in names.h only"

wrong=$(find "$src" -name '*.[ch]' -exec awk 'FNR == 601 { print FILENAME ": more than 600 lines" }' {} + || true)
[ -z "$wrong" ] || { note "$wrong"; fail "no file has more than 600 lines"; }
ok "no file has more than 600 lines"

plan
