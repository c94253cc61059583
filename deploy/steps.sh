# shellcheck shell=bash
# What install.sh, upgrade.sh and uninstall.sh share: saying what happens, doing it once, files that are whole or not there.
# Nothing runs when this file is read. With DRY_RUN=1 everything is said and nothing is done.

OPT=/opt/kumomta-ui
CURRENT=$OPT/current
export CONFIGURATION=/etc/kumomta-ui
export DATA=/var/lib/kumomta-ui
export APPLIER=/var/lib/kumomta-ui-applier
export BACKUPS=/var/backups/kumomta-ui
export KUMOMTA=/opt/kumomta
UNITS=/etc/systemd/system
export SITE=/etc/nginx/conf.d/kumomta-ui.conf
export WEBROOT=/var/www/kumomta-ui
HEALTH=http://127.0.0.1:9000/healthz

DRY_RUN=${DRY_RUN:-0}
STEP=start

say() { printf '%s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
warn() { printf '  ! %s\n' "$*" >&2; }

# stop <exit code> <words>: what happened. What is true now. What to do.
stop() {
	local code=$1
	shift
	printf '\nStopped at "%s". %s\n' "$STEP" "$*" >&2
	exit "$code"
}

step() {
	STEP=$1
	printf '\n== %s\n' "$1"
}

# act <command …>: runs it, or says that it would.
act() {
	if [ "$DRY_RUN" = 1 ]; then
		note "would run: $*"
		return 0
	fi
	"$@"
}

# An unexpected end says where it happened and how to go on.
on_error() {
	printf '\nThe step "%s" did not end well (line %s). What earlier steps did stays and is found again.\n' "$STEP" "$1" >&2
	printf 'Correct what the lines above say, then run the same command again.\n' >&2
}

need_root() {
	[ "$(id -u)" = 0 ] || stop 2 'This must run as root. Nothing was changed. Run it again with sudo.'
}

# Sets OS_FAMILY (debian, redhat) and OS_NAME; os-release(5).
read_system() {
	local id version
	[ -r /etc/os-release ] || stop 2 'There is no /etc/os-release, so this system is not known. Nothing was changed.'
	# shellcheck disable=SC1091
	id=$(. /etc/os-release && printf '%s' "${ID:-}")
	# shellcheck disable=SC1091
	version=$(. /etc/os-release && printf '%s' "${VERSION_ID:-}")
	OS_NAME="$id $version"
	case "$id:${version%%.*}" in
	debian:12 | debian:13) export OS_FAMILY=debian ;;
	rocky:9 | almalinux:9) export OS_FAMILY=redhat ;;
	*) stop 2 "$OS_NAME is not one of Debian 12, Debian 13, Rocky 9, Alma 9. Nothing was changed. Use one of these, or install by hand as docs/operate/install.md says." ;;
	esac
}

has() { command -v "$1" >/dev/null 2>&1; }
systemd_runs() { [ -d /run/systemd/system ]; }

# put <path> <mode> <owner:group>: writes standard input there, whole or not at all; the same content is left alone.
put() {
	local path=$1 mode=$2 owner=$3 temporary
	if [ "$DRY_RUN" = 1 ]; then
		cat >/dev/null
		note "would write: $path ($mode $owner)"
		return 0
	fi
	temporary=$(mktemp "$(dirname "$path")/.$(basename "$path").XXXXXX")
	cat >"$temporary"
	chown "$owner" "$temporary"
	chmod "$mode" "$temporary"
	if [ -f "$path" ] && [ ! -L "$path" ] && cmp -s "$temporary" "$path"; then
		rm -f "$temporary"
		chown "$owner" "$path"
		chmod "$mode" "$path"
		note "unchanged: $path"
		return 0
	fi
	sync "$temporary"
	mv -fT "$temporary" "$path"
	note "wrote: $path"
}

# directory <path> <mode> <owner:group>: refuses a link, so that nothing outside is changed.
directory() {
	if [ -L "$1" ]; then
		stop 3 "$1 is a symbolic link. It was left as it is. Put a real directory there."
	fi
	if [ "$DRY_RUN" = 1 ]; then
		note "would make: $1 ($2 $3)"
		return 0
	fi
	[ -d "$1" ] || mkdir "$1"
	chown "$3" "$1"
	chmod "$2" "$1"
}

# A system account without a home of its own, without a shell, in no other group.
system_user() {
	if id "$1" >/dev/null 2>&1; then
		note "there already: user $1"
		return 0
	fi
	act useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$1"
	[ "$DRY_RUN" = 1 ] || note "made: user $1"
}

service() {
	if ! systemd_runs && [ "$DRY_RUN" = 0 ]; then
		warn "systemd does not run here, so this was not done: systemctl $*"
		return 0
	fi
	act systemctl "$@"
}

# wait_for_health <seconds>
wait_for_health() {
	local left=$1
	[ "$DRY_RUN" = 1 ] && return 0
	while [ "$left" -gt 0 ]; do
		if curl -fsS -m 2 -o /dev/null "$HEALTH" 2>/dev/null; then return 0; fi
		sleep 1
		left=$((left - 1))
	done
	return 1
}

# The directory of the unpacked archive that this script came in.
archive_root() { cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P; }

# Every file of the archive is what was packed; VERSION names it.
check_archive() {
	local root=$1
	if [ ! -f "$root/VERSION" ] || [ ! -f "$root/SHA256SUMS" ] || [ ! -x "$root/bin/node" ]; then
		stop 2 "$root is not an unpacked release. Nothing was changed. Unpack kumomta-ui-<version>-linux-<architecture>.tar.gz and run the script in it, or make one with: npm run release"
	fi
	(cd "$root" && sha256sum --check --quiet --strict SHA256SUMS) ||
		stop 3 'Files of the release are damaged or missing. Nothing was changed. Get the archive again and compare its SHA-256.'
	"$root/bin/node" --version >/dev/null 2>&1 ||
		stop 3 "The release was made for another kind of processor than this $(uname -m). Nothing was changed. Get the right archive."
	VERSION=$(cat "$root/VERSION")
	case "$VERSION" in *[!0-9A-Za-z.+-]* | '' | .*) stop 3 'The release has a name that cannot be a directory. Nothing was changed.' ;; esac
}

# Copies the archive beside the versions that are there, under its final name only when it is whole.
place_release() {
	local root=$1 target="$OPT/releases/$VERSION"
	directory "$OPT" 755 root:root
	directory "$OPT/releases" 755 root:root
	if [ -d "$target" ] && cmp -s "$root/SHA256SUMS" "$target/SHA256SUMS" &&
		(cd "$target" && sha256sum --check --quiet --strict SHA256SUMS 2>/dev/null); then
		note "there already: version $VERSION"
		return 0
	fi
	[ -e "$target" ] && [ "$(readlink -f "$CURRENT" 2>/dev/null)" = "$target" ] && [ "$DRY_RUN" = 0 ] &&
		warn "the files of the running version $VERSION are not what was released; they are put right"
	act rm -rf "$target.new"
	act cp -R --no-preserve=ownership,mode "$root" "$target.new"
	act chmod -R u=rwX,go=rX "$target.new"
	act chmod 755 "$target.new/bin/node" "$target.new/bin/kumomta-ui" "$target.new/deploy/install.sh" \
		"$target.new/deploy/upgrade.sh" "$target.new/deploy/uninstall.sh" "$target.new/deploy/certificate-hook.sh"
	act chown -R root:root "$target.new"
	act sync -f "$OPT/releases"
	act rm -rf "$target.old"
	[ ! -e "$target" ] || act mv -T "$target" "$target.old"
	act mv -T "$target.new" "$target"
	act rm -rf "$target.old"
	[ "$DRY_RUN" = 1 ] || note "placed: $target"
}

# switch_to <version>: one rename decides which version starts.
switch_to() {
	act ln -sfn "releases/$1" "$CURRENT.new"
	act mv -fT "$CURRENT.new" "$CURRENT"
	[ "$DRY_RUN" = 1 ] || note "current: $1"
}

install_units() {
	local unit
	for unit in "$1"/deploy/systemd/*; do
		# shellcheck disable=SC2094 # One is read, the other written.
		put "$UNITS/$(basename "$unit")" 644 root:root <"$unit"
	done
	service daemon-reload
}
