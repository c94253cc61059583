#!/usr/bin/env bash
# Removes what install.sh made. Data, keys, backups and mail stay unless told otherwise. docs/operate/install.md
set -Eeuo pipefail

# shellcheck source=deploy/steps.sh
. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

usage() {
	cat <<'TEXT'
uninstall.sh [options]

  --restore-init   Puts back the init.lua that was live before the panel took over, and restarts KumoMTA
  --purge <host>   Removes the panel's data, keys, configuration and account too; takes this host's name as confirmation.
                   Backups, mail in bounce accounts, DKIM keys and KumoMTA's files stay
  --dry-run        Says what would be done, and does nothing
  --help           This text

Without --restore-init KumoMTA goes on with the policy that is live. Exit codes: 0 done · 2 wrong input · 3 a step failed
TEXT
}

RESTORE_INIT=0 PURGE=''

read_options() {
	while [ $# -gt 0 ]; do
		case "$1" in
		--restore-init) RESTORE_INIT=1 ;;
		--purge)
			[ $# -ge 2 ] || stop 2 '--purge needs the name of this host. Nothing was changed.'
			PURGE=$2
			shift
			;;
		--dry-run) DRY_RUN=1 ;;
		--help | -h)
			usage
			exit 0
			;;
		*) stop 2 "There is no option $1. Nothing was changed. See --help." ;;
		esac
		shift
	done
	if [ -n "$PURGE" ] && [ "$PURGE" != "$(hostname)" ]; then
		stop 2 "This host is called $(hostname), not $PURGE. Nothing was changed."
	fi
}

restore_init() {
	step "KumoMTA's own policy"
	local before=$KUMOMTA/etc/policy/init.lua.before-kumomta-ui live=$KUMOMTA/etc/policy/init.lua
	if [ "$RESTORE_INIT" = 0 ]; then
		note 'The live policy stays as it is (--restore-init puts the former one back).'
		return 0
	fi
	if [ ! -f "$before" ] || [ -L "$before" ]; then
		stop 3 "There is no $before: the panel never took over here. Nothing was changed."
	fi
	local mode=640 group=kumod
	id kumod >/dev/null 2>&1 || group=root
	# The panel's lines stay beside it, so that this too can be taken back.
	if [ -f "$live" ]; then put "$live.of-kumomta-ui" "$mode" "root:$group" <"$live"; fi
	put "$live" "$mode" "root:$group" <"$before"
	service restart kumomta.service
}

services() {
	step 'Services'
	local unit
	for unit in "$UNITS"/kumomta-ui*; do
		[ -e "$unit" ] || continue
		service disable --now --quiet "$(basename "$unit")"
		act rm -f "$unit"
		note "removed: $unit"
	done
	service daemon-reload
}

site() {
	step 'nginx'
	if [ -f "$SITE" ]; then
		act rm -f "$SITE"
		service reload-or-restart nginx
		note "removed: $SITE"
	fi
	act rm -rf "$WEBROOT"
	note "Certificates stay; certbot certificates lists them, certbot delete removes one."
}

program() {
	step 'Program'
	act rm -f /usr/local/bin/kumomta-ui
	act rm -rf "$OPT"
}

data() {
	step 'Data'
	if [ -z "$PURGE" ]; then
		note "kept: $DATA, $CONFIGURATION, $BACKUPS, the account kumomta-ui"
		return 0
	fi
	act rm -rf "$DATA" "$CONFIGURATION"
	if id kumomta-ui >/dev/null 2>&1; then act userdel kumomta-ui; fi
	note "kept: $BACKUPS, /var/mail/kumomta, $KUMOMTA"
}

main() {
	trap 'on_error $LINENO' ERR
	read_options "$@"
	need_root
	# Read whole by now: the directory that this script lies in may be removed below.
	cd /
	restore_init
	services
	site
	program
	data
	step 'Done'
}

main "$@"
exit
