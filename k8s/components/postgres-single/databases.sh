#!/bin/sh
# Runs once, on an empty volume: a database for each service, its owner, who migrates it, and the role of the service, which
# has the rows alone. The passwords come from files.
set -eu
for service in identity mentorship chat notifications payments; do
  ROLE_PASSWORD=$(cat "/run/secrets/postgres/$service-password")
  OWNER_PASSWORD=$(cat "/run/secrets/postgres/$service-owner-password")
  export ROLE_PASSWORD OWNER_PASSWORD
  psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set role="$service" --set owner="${service}_owner" << 'SQL'
\getenv role_password ROLE_PASSWORD
\getenv owner_password OWNER_PASSWORD
-- A statement that fails would otherwise be logged with the password in it.
SET log_min_error_statement = panic;
CREATE ROLE :"owner" LOGIN PASSWORD :'owner_password';
CREATE ROLE :"role" LOGIN PASSWORD :'role_password';
CREATE DATABASE :"role" OWNER :"owner";
REVOKE ALL ON DATABASE :"role" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"role" TO :"role";
SQL
done
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  --command 'REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC'
