#!/usr/bin/env bash
# Installs KumoMTA UI from the unpacked release that this script lies in, on Debian 12/13 and Rocky or Alma 9.
# May be run again at any time: every step looks first and does what is missing. docs/operate/install.md
set -Eeuo pipefail

# shellcheck source=deploy/steps.sh
. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

usage() {
	cat <<'TEXT'
install.sh --domain <name> --email <address> [options]

  --domain <name>    Host name of the panel, as in https://mta.example.net
  --email <address>  Let's Encrypt writes there when a certificate cannot be renewed
  --no-tls           No nginx site and no certificate: the panel stays on 127.0.0.1:9000, reached through ssh -L
  --no-firewall      The firewall is left as it is
  --no-dovecot       No Dovecot: bounce accounts can be made, but nobody can read their mail
  --dry-run          Says what each step would do, and does nothing
  --help             This text

What is missing is asked for on a terminal. Exit codes: 0 done · 2 wrong input, nothing changed · 3 a step did not end well
TEXT
}

DOMAIN='' EMAIL='' TLS=1 FIREWALL=1 DOVECOT=1

read_options() {
	while [ $# -gt 0 ]; do
		case "$1" in
		--domain | --email)
			[ $# -ge 2 ] || stop 2 "$1 needs a value. Nothing was changed. See --help."
			if [ "$1" = --domain ]; then DOMAIN=$2; else EMAIL=$2; fi
			shift
			;;
		--no-tls) TLS=0 ;;
		--no-firewall) FIREWALL=0 ;;
		--no-dovecot) DOVECOT=0 ;;
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

ask_what_is_missing() {
	[ "$TLS" = 1 ] || return 0
	if [ -z "$DOMAIN" ] && [ -t 0 ]; then read -r -p 'Host name of the panel (mta.example.net): ' DOMAIN; fi
	if [ -z "$EMAIL" ] && [ -t 0 ]; then read -r -p "Address for Let's Encrypt: " EMAIL; fi
	[ -n "$DOMAIN" ] || stop 2 'The host name is missing. Nothing was changed. Give --domain, or --no-tls.'
	[ -n "$EMAIL" ] || stop 2 "The address for Let's Encrypt is missing. Nothing was changed. Give --email, or --no-tls."
	# RFC 1123 2.1: letters, digits and hyphens, dots between, 253 characters at most.
	if [ "${#DOMAIN}" -gt 253 ] ||
		! [[ $DOMAIN =~ ^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$ ]]; then
		stop 2 'That is not a host name with a domain, like mta.example.net. Nothing was changed. Correct --domain.'
	fi
	[[ $EMAIL =~ ^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+$ ]] ||
		stop 2 'That is not an e-mail address. Nothing was changed. Correct --email.'
	DOMAIN=${DOMAIN,,}
}

# The programs that listen on a port; nothing when it is free. By the file that runs: a process may call itself anything.
listens_on() {
	local pid file
	for pid in $(ss -Hltnp "sport = :$1" 2>/dev/null | grep -oE 'pid=[0-9]+' | cut -d= -f2 | sort -u); do
		file=$(readlink "/proc/$pid/exe" 2>/dev/null || true)
		case "$file" in "$OPT"/*) printf 'kumomta-ui ' ;; '') ;; *) printf '%s ' "$(basename "${file% (deleted)}")" ;; esac
	done
}

refuse_conflict() {
	local port=$1 allowed=$2 program
	for program in $(listens_on "$port"); do
		case " $allowed " in *" $program "*) ;; *)
			stop 3 "Port $port is held by $program. Nothing was changed. Stop it for good (for example: systemctl disable --now $program) and run this again."
			;;
		esac
	done
}

look_at_machine() {
	step 'Look at this machine'
	read_system
	note "$OS_NAME on $(uname -m)"
	ROOT=$(archive_root)
	check_archive "$ROOT"
	note "release $VERSION"
	has ss || warn 'ss is not installed, so conflicts of ports are not seen before the end.'
	local port
	for port in 25 587; do refuse_conflict "$port" 'kumod'; done
	refuse_conflict 9000 'kumomta-ui'
	[ "$TLS" = 0 ] || for port in 80 443; do refuse_conflict "$port" 'nginx'; done
	local free
	free=$(df -Pk /opt | awk 'NR == 2 { print int($4 / 1024) }')
	[ "$free" -ge 1024 ] || stop 3 "/opt has $free MB free; a gigabyte is needed. Nothing was changed. Make room and run this again."
	systemd_runs || warn 'systemd does not run here: files are placed, services are not started.'
}

packages() {
	step 'Packages'
	local list=(nginx openssl curl acl)
	if [ "$OS_FAMILY" = debian ]; then
		list+=(util-linux)
		[ "$TLS" = 0 ] || list+=(certbot)
		[ "$DOVECOT" = 0 ] || list+=(dovecot-imapd dovecot-pop3d)
		act env DEBIAN_FRONTEND=noninteractive apt-get update -qq
		act env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${list[@]}"
	else
		list+=(util-linux policycoreutils)
		[ "$DOVECOT" = 0 ] || list+=(dovecot)
		if [ "$TLS" = 1 ]; then
			# certbot is in EPEL on these systems.
			act dnf install -y -q epel-release
			list+=(certbot)
		fi
		act dnf install -y -q "${list[@]}"
	fi
}

look_at_kumomta() {
	step 'KumoMTA'
	KUMOD=$KUMOMTA/sbin/kumod
	if [ ! -x "$KUMOD" ]; then
		warn "KumoMTA is not installed in $KUMOMTA. The panel works without it; nothing is sent. Install KumoMTA as its own manual says and run this again."
		return 0
	fi
	local said version
	said=$("$KUMOD" --version 2>/dev/null || true)
	version=$(printf '%s' "$said" | grep -oE '[0-9]{4}\.[0-9]{2}\.[0-9]{2}' | head -n 1 || true)
	if [ -z "$version" ]; then
		stop 3 "kumod did not say which version it is. Nothing of KumoMTA was changed. Look at: $KUMOD --version"
	elif [[ $version < 2026.03.04 ]]; then
		stop 3 "KumoMTA $version is too old: the panel needs 2026.03.04 or newer. Nothing of KumoMTA was changed. Upgrade KumoMTA and run this again."
	fi
	note "version $version"
	id kumod >/dev/null 2>&1 || stop 3 'There is no user kumod, though KumoMTA is installed. Nothing of KumoMTA was changed. Reinstall its package.'
	local init=$KUMOMTA/etc/policy/init.lua
	if [ -f "$init" ] && ! head -n 1 "$init" | grep -q '^-- kumomta-ui revision ' &&
		! cmp -s "$init" "$KUMOMTA/share/minimal-init.lua"; then
		warn "$init was written by somebody. It stays live and untouched until you replace it on the panel's review page, which shows it beside what the panel makes, and keeps it."
	fi
}

accounts() {
	step 'Accounts'
	system_user kumomta-ui
	system_user vmail
	# Whoever is in group kumod can read the policy, and with it every verifier of a password.
	if id -nG kumomta-ui 2>/dev/null | tr ' ' '\n' | grep -qx kumod; then
		act gpasswd -d kumomta-ui kumod
		warn 'kumomta-ui was in the group kumod and is not any more.'
	fi
}

directories() {
	step 'Directories'
	directory "$CONFIGURATION" 750 root:kumomta-ui
	directory "$DATA" 700 kumomta-ui:kumomta-ui
	directory "$DATA/applier" 700 kumomta-ui:kumomta-ui
	# Everybody may read what the applier answers; what only it may know lies below in a directory that is closed.
	directory "$APPLIER" 755 root:root
	directory /var/mail/kumomta 711 root:root
	directory "$BACKUPS" 700 root:root
	if id kumod >/dev/null 2>&1 && [ -d "$KUMOMTA" ]; then
		directory "$KUMOMTA/etc" 750 root:kumod
		local name
		for name in policy policy/revisions tls dkim; do directory "$KUMOMTA/etc/$name" 750 root:kumod; done
		close_kumomta
		directory /var/log/kumomta 750 kumod:kumod
		# Only the log segments, of all that is KumoMTA's, are open to the panel.
		act setfacl -m u:kumomta-ui:rX -m d:u:kumomta-ui:rX /var/log/kumomta
	fi
}

# What lies below etc: root writes, kumod reads; a DKIM key belongs to kumod alone. Links are left alone.
close_kumomta() {
	if [ "$DRY_RUN" = 1 ]; then
		note "would close: $KUMOMTA/etc and below (root:kumod, 750 and 640; DKIM keys kumod, 600)"
		return 0
	fi
	find "$KUMOMTA/etc" -xdev -type d -exec chown -h root:kumod {} + -exec chmod 750 {} +
	find "$KUMOMTA/etc" -xdev -path "$KUMOMTA/etc/dkim" -prune -o -type f -exec chown -h root:kumod {} + -exec chmod 640 {} +
	find "$KUMOMTA/etc/dkim" -xdev -type f -exec chown -h kumod:kumod {} + -exec chmod 600 {} +
	note "closed: $KUMOMTA/etc"
}

release() {
	step "Version $VERSION"
	place_release "$ROOT"
	if [ -L "$CURRENT" ] && [ "$(readlink "$CURRENT")" != "releases/$VERSION" ]; then
		stop 3 "$(readlink "$CURRENT" | cut -d/ -f2) is installed and stays current. To change to $VERSION, with a backup first and a way back, run: $OPT/releases/$VERSION/deploy/upgrade.sh"
	fi
	switch_to "$VERSION"
	put /usr/local/bin/kumomta-ui 755 root:root <<-'TEXT'
		#!/bin/sh
		# The panel's command line, with the environment of its service.
		set -a
		. /etc/kumomta-ui/kumomta-ui.env
		[ ! -r /etc/kumomta-ui/local.env ] || . /etc/kumomta-ui/local.env
		set +a
		run=/opt/kumomta-ui/current/bin/kumomta-ui
		# Only these read what is closed to the panel itself; whatever else root asks for is done with the panel's rights.
		case "$(id -u):${1:-help}" in
		0:backup | 0:restore | 0:doctor | 0:help) exec "$run" "$@" ;;
		0:*) exec setpriv --reuid kumomta-ui --regid kumomta-ui --clear-groups "$run" "$@" ;;
		*) exec "$run" "$@" ;;
		esac
	TEXT
}

configuration() {
	step 'Configuration'
	local origin=http://127.0.0.1:9000 proxy=''
	if [ "$TLS" = 1 ]; then origin=https://$DOMAIN proxy=127.0.0.1; fi
	put "$CONFIGURATION/kumomta-ui.env" 640 root:kumomta-ui <<-TEXT
		# Written by the installation. Your own variables belong in local.env beside it, which wins.
		HOST=127.0.0.1
		PORT=9000
		ORIGIN=$origin
		TRUSTED_PROXY=$proxy
		DATA_DIR=$DATA
		APPLIER_DIR=$DATA/applier
	TEXT
	if [ ! -e "$CONFIGURATION/backup-passphrase" ] && [ "$DRY_RUN" = 0 ]; then
		openssl rand -base64 24 | put "$CONFIGURATION/backup-passphrase" 600 root:root
		NEW_PASSPHRASE=1
	fi
}

start_panel() {
	step 'Services'
	install_units "$ROOT"
	# Makes its key, whose public half the panel needs to seal to it.
	act "$CURRENT/bin/node" "$CURRENT/build/applier.js" --prepare
	service enable --now --quiet kumomta-ui-backup.timer
	service enable --quiet kumomta-ui-applier.service
	service enable --now --quiet kumomta-ui-applier.path
	service enable --quiet kumomta-ui.service
	service restart kumomta-ui.service
	systemd_runs || return 0
	wait_for_health 60 || stop 3 'The panel does not answer on 127.0.0.1:9000. Mail is not touched by that. Look at: journalctl -u kumomta-ui -n 50'
}

site() {
	step 'nginx and certificate'
	if [ "$TLS" = 0 ]; then
		note 'left out (--no-tls)'
		return 0
	fi
	directory /var/www 755 root:root
	directory "$WEBROOT" 755 root:root
	local lineage=/etc/letsencrypt/live/$DOMAIN
	if [ ! -e "$lineage/fullchain.pem" ]; then
		# Port 80 alone answers until there is a certificate.
		sed "s/mta\.example\.net/$DOMAIN/g" "$ROOT/deploy/nginx/kumomta-ui.conf" | only_port_80 | put "$SITE" 644 root:root
		reload_nginx
		act certbot certonly --webroot -w "$WEBROOT" -d "$DOMAIN" -m "$EMAIL" --agree-tos --non-interactive --keep-until-expiring \
			--deploy-hook "$CURRENT/deploy/certificate-hook.sh" ||
			stop 3 "Let's Encrypt gave no certificate for $DOMAIN: its name must point here and port 80 must be reachable. The panel runs on 127.0.0.1:9000. Correct that and run this again."
	fi
	act env RENEWED_LINEAGE="$lineage" "$CURRENT/deploy/certificate-hook.sh"
	sed "s/mta\.example\.net/$DOMAIN/g" "$ROOT/deploy/nginx/kumomta-ui.conf" | put "$SITE" 644 root:root
	reload_nginx
}

# The first server block of the site and what stands before it, without its redirect.
only_port_80() {
	awk '/^server \{/ { n++ } n < 2' | sed 's|return 301 .*|return 404;|'
}

reload_nginx() {
	act nginx -t -q || stop 3 "nginx refuses its configuration. The panel runs on 127.0.0.1:9000. Look at: nginx -t"
	service enable --quiet nginx
	service reload-or-restart nginx
}

selinux() {
	[ "$OS_FAMILY" = redhat ] || return 0
	step 'SELinux'
	if ! has getenforce || [ "$(getenforce)" = Disabled ]; then
		note 'not in use'
		return 0
	fi
	# nginx may speak to the panel's port.
	act setsebool -P httpd_can_network_connect on
	act restorecon -RF "$OPT" "$CONFIGURATION" "$DATA" "$WEBROOT" "$SITE"
}

firewall() {
	step 'Firewall'
	local ports=(25 587)
	[ "$TLS" = 0 ] || ports+=(80 443)
	[ "$DOVECOT" = 0 ] || ports+=(993 995)
	local port
	if [ "$FIREWALL" = 0 ]; then
		note 'left as it is (--no-firewall)'
	elif has firewall-cmd && firewall-cmd --state >/dev/null 2>&1; then
		for port in "${ports[@]}"; do act firewall-cmd -q --permanent --add-port="$port/tcp"; done
		act firewall-cmd -q --reload
		note "opened in firewalld: ${ports[*]}"
	elif has ufw && ufw status 2>/dev/null | grep -q '^Status: active'; then
		for port in "${ports[@]}"; do act ufw allow "$port/tcp"; done
		note "opened in ufw: ${ports[*]}"
	elif has nft && nft list ruleset 2>/dev/null | grep -q 'hook input'; then
		warn "nftables has rules of your own, which were left alone. These TCP ports must be reachable: ${ports[*]}"
	else
		warn "no firewall is active. Reachable from outside should be these TCP ports only: ${ports[*]}, and that of ssh."
	fi
}

tell() {
	step 'Done'
	if [ "$TLS" = 1 ]; then say "Open https://$DOMAIN"; else
		say 'From your own computer:  ssh -L 9000:127.0.0.1:9000 root@<this host>   then open http://127.0.0.1:9000'
	fi
	say "The one-time setup code is in $DATA/setup-code (until the account is made):  cat $DATA/setup-code"
	if [ "${NEW_PASSPHRASE:-0}" = 1 ]; then
		say "Backups are locked with $CONFIGURATION/backup-passphrase. Keep a copy of it elsewhere: without it they are lost."
	fi
}

main() {
	trap 'on_error $LINENO' ERR
	read_options "$@"
	need_root
	ask_what_is_missing
	umask 022
	look_at_machine
	packages
	look_at_kumomta
	accounts
	directories
	release
	configuration
	start_panel
	site
	selinux
	firewall
	tell
}

main "$@"
