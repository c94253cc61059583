#!/usr/bin/env bash
# certbot runs it after each renewal (RENEWED_LINEAGE), install.sh once: the certificate goes where KumoMTA may read it,
# since certbot's own directory is closed to kumod, and every service that holds the old one is told.
set -euo pipefail

lineage=${RENEWED_LINEAGE:?certbot names the renewed certificate in RENEWED_LINEAGE}
name=$(basename "$lineage")
tls=/opt/kumomta/etc/tls

case "$name" in
'' | .* | *[!A-Za-z0-9.-]*)
	printf 'The certificate has a name that cannot be a directory. Nothing was copied.\n' >&2
	exit 2
	;;
esac

# Beside the old one and then renamed, the key last: at no moment is a file half written.
copy() {
	local temporary
	temporary=$(mktemp "$tls/$name/.$2.XXXXXX")
	cat "$1" >"$temporary"
	chown root:kumod "$temporary"
	chmod 640 "$temporary"
	sync "$temporary"
	mv -fT "$temporary" "$tls/$name/$2"
}

if id kumod >/dev/null 2>&1 && [ -d "$tls" ]; then
	install -d -m 750 -o root -g kumod "$tls/$name"
	copy "$lineage/fullchain.pem" fullchain.pem
	copy "$lineage/privkey.pem" privkey.pem
	printf 'The certificate of %s is in %s/%s.\n' "$name" "$tls" "$name"
else
	printf 'KumoMTA is not installed, so the certificate was not copied for it.\n'
fi

if [ -d /run/systemd/system ]; then
	for service in nginx dovecot; do
		if systemctl is-active --quiet "$service"; then systemctl reload "$service"; fi
	done
fi
