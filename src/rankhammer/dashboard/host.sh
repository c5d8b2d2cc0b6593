# Makes a host the dashboard's when it boots first. Before it stand the variables:
# root, state: folders; account: user of the host; python: full path of one that is there, else empty; wheel, conf, env: URIs
# of files (env and jars may be empty); access: the token's hash; unit: of systemd; secret, region: where the certificate is.
set -euo pipefail
umask 022
mkdir -p "$root/.fetched" "$root/app" "$state/tls"
id -u "$account" >/dev/null 2>&1 || useradd --system --home-dir "$state" --shell /usr/sbin/nologin "$account"

fetch() { # URI: prints the file, whose name carries a hash of its content
  local file=$root/.fetched/${1##*/} name
  aws s3 cp --only-show-errors "$1" "$file" >&2
  name=${1##*/}
  case $name in
    env-*) ;; # named by what it is made of
    *-"$(sha256sum "$file" | cut -c1-16)".*) ;;
    *) echo "$1 is not what its name says" >&2 && return 1 ;;
  esac
  echo "$file"
}

if [ -n "$env" ]; then
  mkdir -p "$root/env"
  file=$(fetch "$env")
  tar -xzf "$file" -C "$root/env"
  rm "$file"
  python=$root/env/python
  if [ -n "$jars" ]; then
    mkdir -p "$root/jars"
    file=$(fetch "$jars")
    tar -xzf "$file" -C "$root/jars"
    cp "$root"/jars/* "$root"/env/lib/python3*/site-packages/pyspark/jars/
  fi
fi
file=$(fetch "$wheel")
"$python" -m zipfile -e "$file" "$root/app"
cat >"$root/rankhammer" <<END
#!/bin/sh
PYTHONPATH=$root/app exec $python -m rankhammer "\$@"
END
cat >"$root/certificate" <<END
#!/bin/sh
# Fetches the certificate before each start, so that a new one needs no more than a restart.
umask 077
aws secretsmanager get-secret-value --region $region --secret-id $secret --query SecretString --output text |
  $python -c 'import json, sys
found = json.load(sys.stdin)
for name in ("chain", "key"):
    open(f"$state/tls/{name}.pem", "w").write(found[name])' && chown -R $account $state/tls
END
chmod 755 "$root/rankhammer" "$root/certificate"
rm -rf "$root/project"
"$root/rankhammer" new "$root/project"
file=$(fetch "$conf")
tar -xzf "$file" -C "$root/project"
# The key that signs sessions is made here, and nowhere else.
(umask 077 && printf '{"key": "%s", %s' "$(head -c 32 /dev/urandom | base64 -w0)" "${access#\{}" >"$state/access.json")
chown -R "$account" "$state"
chmod 700 "$state"

if [ -d /run/systemd/system ]; then
  printf '%s' "$unit" >/etc/systemd/system/rankhammer-dashboard.service
  cat >/etc/systemd/system/rankhammer-dashboard-renew.service <<END
[Service]
Type=oneshot
ExecStart=/usr/bin/systemctl restart rankhammer-dashboard.service
END
  cat >/etc/systemd/system/rankhammer-dashboard-renew.timer <<END
[Timer]
OnCalendar=weekly
RandomizedDelaySec=1h
[Install]
WantedBy=timers.target
END
  systemctl daemon-reload
  systemctl enable --now rankhammer-dashboard.service rankhammer-dashboard-renew.timer
fi
