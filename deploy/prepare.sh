#!/bin/sh
# Makes what compose.yaml wants: secrets, and config files to edit. What is there already stays as it is.
set -eu
cd "$(dirname "$0")"

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

mkdir -p secrets
chmod 700 secrets
[ -s secrets/database_password ] || random > secrets/database_password
[ -s secrets/database_url ] || printf 'postgresql://wxbot:%s@database/wxbot' "$(cat secrets/database_password)" > secrets/database_url
[ -s secrets/wechaty_token ] || printf 'insecure_%s' "$(random)" > secrets/wechaty_token
chmod 444 secrets/* # the folder keeps others out; the containers' users are not yours and must read them

for name in config.yaml faq.yaml; do
  [ -e "$name" ] || cp "../$name" "$name"
done
echo "secrets/, config.yaml and faq.yaml are ready; edit config.yaml, then: docker compose up -d"
