#!/bin/sh
# Runs once, on an empty volume: a database for each service, its owner, who migrates it, and the role of the service, which
# has the rows alone. The passwords come from files.
set -eu
for service in identity mentorship chat notifications payments; do
  psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set service="$service" --set owner="${service}_owner" \
    --set password="$(cat "/run/secrets/postgres/$service-password")" \
    --set owner_password="$(cat "/run/secrets/postgres/$service-owner-password")" <<'SQL'
CREATE ROLE :"owner" LOGIN PASSWORD :'owner_password';
CREATE ROLE :"service" LOGIN PASSWORD :'password';
CREATE DATABASE :"service" OWNER :"owner";
REVOKE ALL ON DATABASE :"service" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"service" TO :"service";
SQL
done
