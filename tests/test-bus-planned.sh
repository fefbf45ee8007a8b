#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A definition with the mark of a Staged move is a PlannedSystem and no System: shown and followed, not started by
# hand, and removed by Destroy with what was made for it, and nothing else. Without the mark it is a System. The marks
# are put by virsh here, in all forms that libvirt prints.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
# shellcheck source=tests/libstorage.sh
. "$test_dir/libstorage.sh"

uri=urn:org.example.VirtualSystemMigration:planned:1
interface=$VSM_NAME.PlannedSystem
sentence='This is a planned system: .*PlannedSystem.Destroy'
mark=1

path_of() { # KIND NAME
  printf '%s/%s/%s\n' "$VSM_ROOT" "$1" "$(guest_uuid B "$2" | tr - _)"
}

# From here on signals count for the next act.
begin() {
  mark=$(($(wc -l <bus.B) + 1))
}

wait_signal() { # REGEX
  local lines r=0
  exec {lines}< <(exec tail -n "+$mark" -s 0.1 -F bus.B 2>/dev/null 3>&-)
  local pid=$!
  timeout "$(scaled 30)" grep -qm1 -E -- "$1" <&"$lines" || r=$?
  kill "$pid" 2>/dev/null || true
  exec {lines}<&-
  [ "$r" = 0 ] || {
    tail -n "+$mark" bus.B | evidence
    fail "a signal with $1"
  }
}

wait_added() { # PATH INTERFACE
  wait_signal "\"member\":\"InterfacesAdded\".*\"$1\",\{.*\"$2\":\{"
}

wait_removed() { # PATH INTERFACE
  wait_signal "\"member\":\"InterfacesRemoved\".*\"$1\",\[.*\"$2\""
}

managed() { # paths of systems and planned systems, by the object manager
  host_run B busctl --json=short call "$VSM_NAME" "$VSM_ROOT" org.freedesktop.DBus.ObjectManager GetManagedObjects |
    { grep -oE "\"$VSM_ROOT/(system|planned)/[^\"]*\":\{" || true; } | tr -d '":{' | sort
}

assert_managed() { # PATH...
  local have
  have=$(managed)
  assert_eq "$have" "$(printf '%s\n' "$@" | sort)" "what there is"
  assert_eq "$(host_run B busctl tree --list "$VSM_NAME" | { grep -E "^$VSM_ROOT/(system|planned)/" || true; } | sort)" \
    "$have" "tree"
}

mark_xml() { # SOURCE [PATH@POOL...]: without the namespace, as virsh wants it
  local volume
  printf "<planned source='%s' job='7'>" "$1"
  for volume in "${@:2}"; do
    printf "<volume path='%s' pool='%s'/>" "${volume%@*}" "${volume##*@}"
  done
  printf '</planned>\n'
}

put_mark() { # NAME --config|--live [SOURCE PATH@POOL...]
  host_run B virsh -q metadata --domain "$1" "$2" --uri "$uri" --key vsm-planned --set "$(mark_xml "${@:3}")"
}

take_mark() { # NAME --config|--live
  host_run B virsh -q metadata --domain "$1" "$2" --uri "$uri" --remove
}

place() { # NAME SOURCE [options of "guest define"]: the mark is there from the beginning
  local xml
  guest_define B "$1" "${@:3}"
  wait_prop B "$(path_of system "$1")" "$VSM_NAME.System" ElementName "^$1\$" >/dev/null
  xml=$(host_run B virsh -q dumpxml --inactive --domain "$1" | sed "s|</uuid>|&<metadata><p:planned xmlns:p='$uri' \
source='$2' job='7'/></metadata>|")
  begin
  host_run B virsh -q undefine --domain "$1"
  host_run B virsh -q define --file /dev/stdin <<<"$xml"
}

destroy_as() { # USER PATH
  as_user B "$1" gdbus call --system --timeout "$(scaled 60)" --dest "$VSM_NAME" --object-path "$2" \
    --method "$interface.Destroy"
}

planned_prop() { # PATH NAME VALUE
  assert_eq "$(prop B "$1" "$interface" "$2")" "$3" "$2"
}

### what it looks like

shown() {
  local uuid
  place web hosta
  uuid=$(guest_uuid B web)
  web=$(path_of planned web)
  wait_removed "$(path_of system web)" "$VSM_NAME.System"
  wait_added "$web" "$interface"
  assert_managed "$web"
  planned_prop "$web" Name "$uuid"
  planned_prop "$web" ElementName web
  planned_prop "$web" SourceHost hosta
  host_run B cat "/usr/share/dbus-1/interfaces/$interface.xml" >file.xml
  host_run B busctl introspect --xml-interface "$VSM_NAME" "$web" >live.xml
  assert_true "as installed" bash -c "'$test_dir/compare-interface' file.xml '$interface' <live.xml"

  assert_fails_with 'no system of that name' call B "$VSM_ROOT" "$VSM_NAME.Manager" GetSystem s web
  assert_fails_with 'no system of that name' call B "$VSM_ROOT" "$VSM_NAME.Manager" GetSystem s "$uuid"
  for path in "$web" "$(path_of system web)"; do
    assert_fails_with 'ComputerSystem is no system' call B "$VSM_ROOT" "$VSM_NAME" MigrateVirtualSystemToHost \
      'osa{sv}a{sv}aa{sv}' "$path" hosta 0 0 0
  done
  for path in "$VSM_ROOT/planned/$(tr a-f- A-F_ <<<"$uuid")" "$VSM_ROOT/planned/$(tr - _ <<<00000000-0000-0000-0000-000000000000)" \
    "$web/x" "$VSM_ROOT/planned"; do
    assert_fails_with 'Error.Unknown(Object|Method|Interface)' \
      host_run B gdbus call --system --dest "$VSM_NAME" --object-path "$path" --method "$interface.Destroy"
  done
}

followed() {
  begin
  host_run B virsh -q domrename --domain web www
  wait_signal "\"path\":\"$web\".*\"PropertiesChanged\".*\"ElementName\":\{\"type\":\"s\",\"data\":\"www\"\}"
  host_run B virsh -q domrename --domain www web
  begin
  put_mark web --config elsewhere
  wait_signal "\"path\":\"$web\".*\"PropertiesChanged\".*\"SourceHost\":\{\"type\":\"s\",\"data\":\"elsewhere\"\}"
  planned_prop "$web" SourceHost elsewhere
  host_run B systemctl restart vsmd
  assert_managed "$web"
  begin
  host_run B virsh -q undefine --domain web
  wait_removed "$web" "$interface"
  assert_managed
}

# Nothing is restarted in between.
mark_comes_and_goes() {
  local system
  guest_define B web
  system=$(path_of system web) web=$(path_of planned web)
  wait_added "$system" "$VSM_NAME.System"
  begin
  put_mark web --config hosta
  wait_removed "$system" "$VSM_NAME.System"
  wait_added "$web" "$interface"
  assert_managed "$web"
  begin
  take_mark web --config
  wait_removed "$web" "$interface"
  wait_added "$system" "$VSM_NAME.System"
  assert_managed "$system"
  assert_eq "$(call B "$VSM_ROOT" "$VSM_NAME.Manager" GetSystem s web)" "o \"$system\"" GetSystem
}

### not started by hand

refused_to_start() {
  put_mark web --config hosta
  assert_fails_with "$sentence" host_run B virsh -q start --domain web
  assert_eq "$(guest_state B web)" "shut off" "it is off"
  take_mark web --config
  # what only reads like the mark, where anybody may write what he likes
  host_run B virsh -q desc --domain web --config "<vsm-planned:planned xmlns:vsm-planned=\"$uri\" source='hosta'>"
  host_run B virsh -q metadata --domain web --config --uri urn:test --key other \
    --set "<note for='&lt;p:planned xmlns:p=&quot;$uri&quot;&gt;'>&lt;p:planned xmlns:p=\"$uri\"></note>"
  host_run B virsh -q start --domain web
  assert_eq "$(guest_state B web)" running "without the mark it starts"
  host_run B virsh -q destroy --domain web
  host_run B virsh -q undefine --domain web
}

hook() { # NAME OPERATION SUBOPERATION: the definition from stdin
  # shellcheck disable=SC2016 # for the shell over there
  host_run B sh -c 'f=$(mktemp); cat >"$f"; /etc/libvirt/hooks/qemu.d/vsmd "$@" <"$f"; r=$?; rm "$f"; exit $r' sh "$@" -
}

hook_forms() {
  local element begun
  for element in "<vsm-planned:planned xmlns:vsm-planned=\"$uri\" source=\"hosta\" job=\"7\">" \
    "<vsm:planned xmlns:a=\"urn:a\" xmlns:vsm=\"$uri\"/>" "<planned xmlns=\"$uri\"/>" \
    "<metadata xmlns:x=\"$uri\"><x:planned/></metadata>"; do
    assert_status 1 hook web prepare begin <<<"<domain><metadata>$element</metadata></domain>"
    assert_status 0 hook web start begin <<<"<domain><metadata>$element</metadata></domain>"
    assert_status 0 hook web migrate begin <<<"<domain><metadata>$element</metadata></domain>"
  done
  for element in "<a:planned xmlns:a=\"$uri:x\"/>" "<a:unplanned xmlns:a=\"$uri\"/>" "<a:planned b=\"$uri\"/>" \
    "<a:b xmlns:a=\"urn:a\">xmlns:vsm=\"$uri\"</a:b>" "</planned xmlns=\"$uri\">" \
    "<d>&lt;a:planned xmlns:a=\"$uri\"</d>"; do
    assert_status 0 hook web prepare begin <<<"<domain><metadata>$element</metadata></domain>"
  done
  { printf '<domain>%04000000d' 0 && printf '\n<!-- %04000000d -->' 0 && echo "<planned xmlns=\"$uri\"/>"; } >huge.xml
  begun=$SECONDS
  assert_status 1 hook web prepare begin <huge.xml
  assert_between $((SECONDS - begun)) 0 "$(scaled 10)" "seconds for 8 MB"
  assert_status 0 hook web prepare begin </dev/null
  # shellcheck disable=SC2016 # for the shell over there
  assert_status 0 host_run B sh -c '/etc/libvirt/hooks/qemu.d/vsmd web prepare begin - <&-'
}

# One that comes has the definition of its source, and is a System from its first moment; if it leaves nothing
# behind, what is there is planned again.
arrives() {
  local system uuid
  guest_start A web --ws 8
  uuid=$(guest_uuid A web)
  host_run A virsh -q dumpxml --inactive --domain web |
    sed "s|</uuid>|&<metadata><p:planned xmlns:p='$uri' source='hosta' job='7'/></metadata>|" >web.xml
  begin
  host_run B virsh -q define --file /dev/stdin <web.xml
  web=$(path_of planned web) system=$(path_of system web)
  wait_added "$web" "$interface"
  assert_fails_with "$sentence" host_run B virsh -q start --domain web
  begin
  host_run A virsh -q migrate --live --domain web "$(host_uri B)"
  wait_removed "$web" "$interface"
  wait_added "$system" "$VSM_NAME.System"
  assert_guest_on B web
  assert_managed "$system"
  begin
  host_run B virsh -q destroy --domain "$uuid"
  wait_removed "$system" "$VSM_NAME.System"
  wait_added "$web" "$interface"
  begin
  assert_eq "$(destroy_as root "$web")" "()" "Destroy"
  wait_removed "$web" "$interface"
  host_run A virsh -q undefine --domain web
}

### Destroy

# "pool" is what its volumes are in, "other" a guest that uses one of them
prepare_volumes() {
  make_pool B pool /var/lib/libvirt/planned
  own=$(make_volume B pool own.qcow2 qcow2 1M)
  spare=$(make_volume B pool spare.img raw 1M)
  taken=$(make_volume B pool taken.img raw 1M)
  foreign=$(make_volume B pool foreign.img raw 1M)
  host_run B touch /var/lib/libvirt/precious
  guest_define B other --disk "$taken"
  guest_define B web --disk "$own" --disk "$foreign"
  put_mark web --config hosta "$own@pool" "$spare@pool" "$taken@pool" /var/lib/libvirt/precious@pool \
    /var/lib/libvirt/precious@/var/lib/libvirt "$foreign@gone"
  web=$(path_of planned web)
  wait_prop B "$web" "$interface" SourceHost '^hosta$' >/dev/null
}

everything() {
  host_run B virsh -q list --all
  volumes B pool
  managed
}

may_destroy() {
  local before
  before=$(everything)
  assert_fails_with 'InteractiveAuthorizationRequired' destroy_as alice "$web"
  polkit_rule B 50-test-planned <<EOT
polkit.addRule(function(action, subject) {
  if (subject.user == "alice" && action.id == "$VSM_NAME.migrate" && action.lookup("system.name") == "web" &&
      action.lookup("system.uuid") == "$(guest_uuid B web)" && action.lookup("remove") == "true")
    return polkit.Result.YES;
});
EOT
  assert_fails_with 'InteractiveAuthorizationRequired' destroy_as bob "$web"
  assert_eq "$(everything)" "$before" "nothing has changed"

  # what cannot be seen would be left behind
  at_exit 'host_run B virsh -q pool-start --pool pool >/dev/null 2>&1' # or a reset cannot empty it
  host_run B virsh -q pool-destroy --pool pool
  assert_fails_with "Error.InvalidState: The storage pool 'pool' is not active" destroy_as alice "$web"
  host_run B virsh -q pool-start --pool pool
  assert_eq "$(everything)" "$before" "nothing has changed"

  begin
  assert_eq "$(destroy_as alice "$web")" "()" "Destroy by a rule"
  wait_removed "$web" "$interface"
  assert_eq "$(host_run B virsh -q list --all --name | grep .)" other "it is gone, the other one is there"
  assert_eq "$(volumes B pool | paste -sd ' ')" "foreign.img taken.img" "its volumes are gone, no others"
  assert_true "no volume, not removed" host_run B test -e /var/lib/libvirt/precious
  assert_managed "$(path_of system other)"
  host_run B virsh -q undefine --domain other
}

# A call that was cut off after the first volume
called_again() {
  own=$(make_volume B pool own.qcow2 qcow2 1M)
  spare=$(make_volume B pool spare.img raw 1M)
  guest_define B web --disk "$own" --disk "$spare"
  put_mark web --config hosta "$own@pool" "$spare@pool"
  web=$(path_of planned web)
  wait_prop B "$web" "$interface" SourceHost '^hosta$' >/dev/null
  host_run B virsh -q vol-delete --pool pool --vol own.qcow2
  assert_eq "$(destroy_as root "$web")" "()" "Destroy, once more"
  assert_eq "$(volumes B pool | paste -sd ' ')" "foreign.img taken.img" "the rest is gone"
  assert_eq "$(guest_state B web)" none "and the definition"
}

# Somebody went around the hook.
used() {
  guest_start B web
  put_mark web --config hosta
  begin
  put_mark web --live hosta
  web=$(path_of planned web)
  wait_added "$web" "$interface"
  assert_managed "$web"
  assert_fails_with 'Error.InvalidState: .*runs' destroy_as root "$web"
  assert_eq "$(guest_state B web)" running "it runs on"
  host_run B virsh -q managedsave --domain web
  assert_fails_with 'Error.InvalidState: .*saved' destroy_as root "$web"
  host_run B virsh -q managedsave-remove --domain web
  begin
  assert_eq "$(destroy_as root "$web")" "()" "Destroy"
  wait_removed "$web" "$interface"
  assert_eq "$(guest_state B web)" none "it is gone"
}

hosts_need kvm gdbus
hosts_setup "$@"
host_run B systemctl start vsmd
monitor_start B bus.B

shown
ok "it is a PlannedSystem, and nowhere a System"
followed
ok "its name, its source and its end are followed, over a restart too"
mark_comes_and_goes
ok "with the mark it is planned, without it a System"
refused_to_start
ok "libvirt does not start it by hand, and is not misled by what others wrote"
hook_forms
ok "the hook knows all forms of the mark, and reads any amount"
arrives
ok "a guest that arrives in it is a System"
prepare_volumes
may_destroy
ok "Destroy by who may, with what was made for it, and nothing else"
called_again
ok "Destroy finishes what another one began"
used
ok "Destroy does not touch what was used"

hosts_done
plan
