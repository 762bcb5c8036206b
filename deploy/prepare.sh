#!/bin/sh
# Creates the secrets and config files that compose.yaml needs. Existing files are not changed.
set -eu
cd "$(dirname "$0")"

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

mkdir -p secrets
chmod 700 secrets
[ -s secrets/database_password ] || random > secrets/database_password
[ -s secrets/database_url ] || printf 'postgresql://wxbot:%s@database/wxbot' "$(cat secrets/database_password)" > secrets/database_url
[ -s secrets/wechaty_token ] || printf 'insecure_%s' "$(random)" > secrets/wechaty_token
chmod 444 secrets/* # readable by the containers' users; access is restricted by the folder's mode

for name in config.yaml faq.yaml; do
  [ -e "$name" ] || cp "../$name" "$name"
done
echo "secrets/, config.yaml and faq.yaml are ready; edit config.yaml, then: docker compose up -d"
