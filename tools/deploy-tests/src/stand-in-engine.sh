#!/bin/sh
# What deploy/backup and deploy/restore call instead of an engine, as `docker`, with the folder $STAND_IN:
#   calls            every call, a line each
#   volume/          the volume of PostgreSQL; steps of restore-data.sh are carried out there
#   container-bin/   tools that only containers see
#   free-blocks      how many blocks of 4 KiB the volume has free
echo "$@" | head -n 1 >> "$STAND_IN/calls"
: "${COMPOSE_PROJECT_NAME:=mentorhub}"

case "$*" in
  *'compose --file - config')
    # Real Compose reads .env here: the deploy tests have that.
    exit 1
    ;;
  *compose*' config') printf 'name: %s\nservices:\n  identity:\n    image: mentorhub/identity:0.1.0\n' "$COMPOSE_PROJECT_NAME" ;;
  *restore-data.sh*)
    while [ "$1" != -c ]; do shift; done
    PATH=$STAND_IN/container-bin:$PATH PGDATA=$STAND_IN/volume/18/docker \
      exec sh -c "$(printf '%s\n' "$2" | sed "s,/var/lib/postgresql,$STAND_IN/volume,")" "$3" "$4"
    ;;
  *pg_basebackup*) tar --create --directory "$STAND_IN/base" . ;;
  *' psql '*--command*) echo '18 18.1 7300000000000000001 1000 chat,identity' ;;
  *' psql '*)
    read -r _
    echo kept
    cat > /dev/null
    ;;
  *uname*) uname -m ;;
  *'ps --all --quiet identity') echo 0123456789ab ;;
  *inspect*) echo 0.1.0 ;;
  *"ps --format"*) echo healthy ;;
esac
