#!/bin/sh
# The part of deploy/restore that runs in containers of the service postgres, on its volume. It prepares the data of a
# backup beside those in use, which it replaces at the very end by a rename.
#
#   stat      prints what is in use: none, or data
#   platform  prints the major version of PostgreSQL, the architecture, and how many bytes are free, with those of earlier runs
#   unpack    removes what earlier runs left, takes the tar of a base backup from standard input, and checks every file against the backup's own list
#   settle    starts PostgreSQL on it, and has each database run a script from standard input: a line "-- database NAME"
#             begins that of another
#   switch    puts it in the place of the data in use, which stay in the folder replaced
#   discard   removes what is prepared
#   clean     removes what is not in use
set -eu
umask 077

volume=/var/lib/postgresql
stage=$volume/.restoring
replaced=$volume/.replaced
socket=$stage/socket

fail() {
  echo "$1" >&2
  exit 1
}

case $PGDATA in
  "$volume"/*) ;;
  *) fail "The data are at $PGDATA, and not within the volume at $volume." ;;
esac

server() { # ACTION OPTION...
  pg_ctl --pgdata "$stage/data" --silent --wait --timeout 86400 --log "$stage/log" "$@"
}

# An earlier run may have been ended between two renames.
if [ ! -e "$PGDATA" ] && [ -e "$stage/old" ]; then mv "$stage/old" "$PGDATA"; fi

case $1 in
  stat)
    if [ -s "$PGDATA/PG_VERSION" ]; then echo data; else echo none; fi
    ;;

  platform)
    postgres --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/'
    uname -m
    free=$(($(stat --file-system --format '%a * %S' "$volume")))
    for left in "$stage" "$replaced"; do
      [ ! -e "$left" ] || free=$((free + $(du --summarize --block-size 1 "$left" | cut -f 1)))
    done
    echo "$free"
    ;;

  unpack)
    rm -rf "$stage" "$replaced"
    mkdir "$stage" "$stage/data"
    tar --extract --file - --directory "$stage/data" --no-same-owner
    pg_verifybackup --exit-on-error --quiet "$stage/data"
    ;;

  settle)
    mkdir -p "$socket"
    echo 'local all all trust' > "$stage/hba"
    # Nobody else gets in, and what the data's own settings say of addresses and archives does not hold.
    server start --options "-c listen_addresses='' -c unix_socket_directories='$socket' -c hba_file='$stage/hba' -c archive_mode=off" ||
      { tail -n 20 "$stage/log" >&2; fail 'PostgreSQL does not start on the data of the backup.'; }
    trap 'server stop --mode immediate || true' EXIT
    cat > "$stage/script"
    database=
    run() {
      [ -s "$stage/part" ] || return 0
      psql --host "$socket" --username postgres --dbname "$database" --no-psqlrc --quiet --output /dev/null \
        --set ON_ERROR_STOP=1 --file "$stage/part"
    }
    : > "$stage/part"
    while IFS= read -r line; do
      case $line in
        '-- database '*)
          run
          database=${line#-- database }
          : > "$stage/part"
          ;;
        *) printf '%s\n' "$line" >> "$stage/part" ;;
      esac
    done < "$stage/script"
    run
    trap - EXIT
    server stop --mode fast
    rm -f "$stage/script" "$stage/part"
    sync
    : > "$stage/ready"
    ;;

  switch)
    [ -e "$stage/ready" ] || fail 'Nothing is prepared.'
    mkdir -p "$(dirname "$PGDATA")"
    rm -rf "$replaced"
    if [ -e "$PGDATA" ]; then
      # In one step where mv can; else a PostgreSQL that starts between the two would find nothing and begin anew.
      mv --exchange --no-target-directory "$stage/data" "$PGDATA" 2> /dev/null ||
        { mv "$PGDATA" "$stage/old" && mv "$stage/data" "$PGDATA" && mv "$stage/old" "$stage/data"; }
      mv "$stage/data" "$replaced"
    else
      mv "$stage/data" "$PGDATA"
    fi
    sync
    rm -rf "$stage"
    ;;

  discard)
    rm -rf "$stage"
    ;;

  clean)
    rm -rf "$stage" "$replaced"
    ;;

  *) fail "There is no step $1." ;;
esac
