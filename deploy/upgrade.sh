#!/usr/bin/env bash
# Changes to the release that this script lies in: backup, new version beside the old, start, look; or back to the old
# version with the data as it was. Mail goes on meanwhile: KumoMTA needs nothing of the panel. docs/operate/upgrade.md
set -Eeuo pipefail

# shellcheck source=deploy/steps.sh
. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

usage() {
	cat <<'TEXT'
upgrade.sh [options]

  --back         Ends an upgrade that was cut off by going back to the former version with its data
  --no-backup    Makes no encrypted backup first; the copy of the database for the way back is made all the same
  --dry-run      Says what each step would do, and does nothing
  --help         This text

Exit codes: 0 done · 2 wrong input, nothing changed · 3 the new version did not work and the former one runs again
TEXT
}

BACKUP=1 BACK=0
# One line: "<from> <to> <directory of the copy>". There exactly while an upgrade is not finished.
STATE=/var/lib/kumomta-ui-upgrade

read_options() {
	while [ $# -gt 0 ]; do
		case "$1" in
		--back) BACK=1 ;;
		--no-backup) BACKUP=0 ;;
		--dry-run) DRY_RUN=1 ;;
		--help | -h)
			usage
			exit 0
			;;
		*) stop 2 "There is no option $1. Nothing was changed. See --help." ;;
		esac
		shift
	done
}

installed_version() {
	local target
	target=$(readlink "$CURRENT" 2>/dev/null) || stop 2 'No version is installed. Nothing was changed. Run install.sh.'
	printf '%s' "${target#releases/}"
}

# The database of the panel: everything in the data directory but what an upgrade never touches.
database_files() { find "$DATA" -maxdepth 1 -type f -name 'panel.db*' -printf '%f\n'; }

copy_of_database() {
	step 'Copy of the database'
	directory "$STATE" 700 root:root
	act rm -rf "$STATE/data.new"
	if [ "$DRY_RUN" = 1 ]; then
		note "would copy: $DATA/panel.db* to $STATE/data"
		return 0
	fi
	mkdir -m 700 "$STATE/data.new"
	local name
	for name in $(database_files); do cp -a "$DATA/$name" "$STATE/data.new/"; done
	sync -f "$STATE"
	rm -rf "$STATE/data"
	mv -T "$STATE/data.new" "$STATE/data"
	printf '%s %s\n' "$FROM" "$VERSION" | put "$STATE/running" 600 root:root
}

put_database_back() {
	local name
	[ -d "$STATE/data" ] || stop 3 "The copy of the database is gone. $DATA was left as it is. Restore a backup: docs/operate/restore.md"
	rm -rf "$DATA/.before-going-back"
	install -d -m 700 -o kumomta-ui -g kumomta-ui "$DATA/.before-going-back"
	# The log beside the database belongs to the database that goes: first it, then the rest.
	for name in $(database_files | sort -r); do mv -f "$DATA/$name" "$DATA/.before-going-back/"; done
	for name in "$STATE/data/"*; do
		[ -e "$name" ] || continue
		cp -a "$name" "$DATA/.$(basename "$name").back"
	done
	sync -f "$DATA"
	for name in "$STATE/data/"*; do
		[ -e "$name" ] || continue
		mv -f "$DATA/.$(basename "$name").back" "$DATA/$(basename "$name")"
	done
	sync -f "$DATA"
}

go_back() {
	local from=$1 to=$2
	step "Back to $from"
	[ -d "$OPT/releases/$from" ] || stop 3 "The files of version $from are gone. Install that release, then run upgrade.sh --back again."
	service stop kumomta-ui.service
	put_database_back
	switch_to "$from"
	install_units "$OPT/releases/$from"
	service restart kumomta-ui.service
	rm -rf "$STATE"
	note "What version $to had written is in $DATA/.before-going-back."
}

finish_interrupted() {
	[ -f "$STATE/running" ] || return 0
	local from to
	read -r from to <"$STATE/running"
	if [ "$BACK" = 1 ]; then
		go_back "$from" "$to"
		if systemd_runs && ! wait_for_health 60; then
			stop 3 "Version $from does not answer either. Mail is not touched. Look at: journalctl -u kumomta-ui -n 50"
		fi
		step 'Done'
		exit 0
	fi
	warn "An upgrade from $from to $to was cut off. It is started again from where the data was; --back goes back instead."
}

upgrade() {
	step "Version $VERSION"
	place_release "$ROOT"
	if [ "$BACKUP" = 1 ]; then
		step 'Backup'
		[ -f "$CONFIGURATION/backup-passphrase" ] ||
			stop 2 "There is no $CONFIGURATION/backup-passphrase to lock a backup with. Nothing was changed but $OPT/releases. Make one, or give --no-backup."
		act /usr/local/bin/kumomta-ui backup --out "$BACKUPS" --passphrase-file "$CONFIGURATION/backup-passphrase" ||
			stop 3 "No backup could be made. Version $FROM runs as before. Look at the lines above, or give --no-backup."
	fi
	step 'Change'
	service stop kumomta-ui.service
	copy_of_database
	switch_to "$VERSION"
	install_units "$OPT/releases/$VERSION"
	step 'Start and look'
	service restart kumomta-ui.service
	if [ "${STARTS_BY_HAND:-0}" = 1 ] || systemd_runs; then
		if ! wait_for_health 90; then
			warn "Version $VERSION does not answer on 127.0.0.1:9000 within 90 seconds."
			if has journalctl; then journalctl -u kumomta-ui -n 20 --no-pager || true; fi
			go_back "$FROM" "$VERSION"
			wait_for_health 60 || warn "Version $FROM does not answer either."
			stop 3 "Version $VERSION did not work here. Version $FROM runs again with the data from before. Report the lines above."
		fi
	fi
	act rm -rf "$STATE"
	remove_old_releases
}

# The present and the former version stay.
remove_old_releases() {
	local path name
	for path in "$OPT"/releases/*; do
		name=$(basename "$path")
		case "$name" in "$VERSION" | "$FROM") ;; *) act rm -rf "$path" ;; esac
	done
}

main() {
	trap 'on_error $LINENO' ERR
	read_options "$@"
	need_root
	umask 022
	step 'Look'
	read_system
	ROOT=$(archive_root)
	finish_interrupted
	if [ "$BACK" = 1 ]; then stop 2 'No upgrade was cut off, so there is nothing to go back from. Nothing was changed.'; fi
	check_archive "$ROOT"
	FROM=$(installed_version)
	if [ -f "$STATE/running" ]; then read -r FROM _ <"$STATE/running"; fi
	if [ "$FROM" = "$VERSION" ]; then
		say "Version $VERSION is what is installed. Nothing was changed."
		exit 0
	fi
	upgrade
	step 'Done'
	say "Version $VERSION runs. Version $FROM stays in $OPT/releases."
}

main "$@"
exit
