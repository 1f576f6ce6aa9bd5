# What deploy/backup and deploy/restore share: the format of archives, and how they meet the project.
#
# An archive is a plain tar file:
#   mentorhub-backup              the number of the format, and nothing else
#   secrets.tar.gz                the folder of secrets; with .age behind it, encrypted
#   postgres.tar.gz               the base backup of PostgreSQL; with .age behind it, encrypted
#   manifest                      KEY=VALUE lines about the rest, for each part `part=NAME BYTES SHA256`, and last
#                                 `sha256=` of the lines above
# Parts are streamed: their size is known at the end alone, so the header of an entry is written after its content. The
# manifest comes last, so an archive without one is not whole.

readonly archive_format=1
readonly lock_file=.mentorhub-lock
export LC_ALL=C
umask 077
# The last command of a pipe sets variables of the script.
shopt -s lastpipe

say() {
  printf '%s\n' "$*" >&2
}

# die MESSAGE...: ends the script; EXIT traps say what became of things.
die() {
  say "$(basename "$0"): $*"
  exit "${failure:-1}"
}

# need TOOL PACKAGE [WHAT FOR]
need() {
  command -v "$1" > /dev/null || die "$1 is missing${3:+, which $3 takes}: install $2, then run this again."
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly root

# find_secrets: sets $secrets to the folder of secrets of the project.
find_secrets() {
  secrets=$("$root/deploy/compose/secrets" --folder) || die 'the folder of secrets is not known.'
  secrets=${secrets%/}
  readonly secrets
}

# Settings of the project (COMPOSE_FILE, .env and so on) hold as they do for `docker compose` there.
compose() {
  (cd "$root" && exec docker compose --progress quiet "$@")
}

# project_name CONFIGURATION: the name in what `docker compose config` prints.
project_name() {
  sed -n 's/^name: "\{0,1\}\([a-z0-9_-]*\)"\{0,1\}$/\1/p' <<< "$1"
}

# Only one backup or restore at a time. Commands that this one runs have the lock as well: after a kill it ends with the last
# of them.
take_lock() {
  mkdir -p "$(dirname "$secrets")"
  exec 9> "$(dirname "$secrets")/$lock_file"
  flock --nonblock 9 || die 'another backup or restore of this system is running.'
}

size_of() {
  stat --format %s -- "$1"
}

blocks_of() { # BYTES: what they take in a tar file
  echo $((($1 + 511) / 512 * 512))
}

# archive_entry FILE NAME: appends standard input to the archive; sets $entry_bytes and $entry_sha256.
archive_entry() {
  local file=$1 name=$2 start sum
  start=$(size_of "$file")
  head -c 512 /dev/zero >> "$file"
  mkfifo "$work/copy"
  sha256sum < "$work/copy" > "$work/sum" &
  sum=$!
  tee "$work/copy" >> "$file" || return 1
  wait "$sum"
  rm "$work/copy"
  read -r entry_sha256 _ < "$work/sum"
  entry_bytes=$(($(size_of "$file") - start - 512))
  head -c $(($(blocks_of "$entry_bytes") - entry_bytes)) /dev/zero >> "$file"
  # The header is that of an empty file of this size and name.
  rm -rf "$work/header"
  mkdir "$work/header"
  truncate --size "$entry_bytes" "$work/header/$name"
  (
    set +o pipefail
    tar --create --format=gnu --owner=root:0 --group=root:0 --mode=600 --directory "$work/header" "$name" |
      head -c 512 | dd of="$file" bs=512 seek=$((start / 512)) conv=notrunc status=none
  )
  rm -r "$work/header"
}

# archive_begin FILE
archive_begin() {
  : > "$1"
  manifest=
  archive_entry "$1" mentorhub-backup <<< "$archive_format"
}

# archive_part FILE NAME: appends standard input as a part.
archive_part() {
  archive_entry "$1" "$2" || return 1
  manifest+="part=$2 $entry_bytes $entry_sha256"$'\n'
}

# archive_end FILE < KEY=VALUE lines: completes the archive and has it on disk.
archive_end() {
  manifest="format=$archive_format"$'\n'"$(cat)"$'\n'"$manifest"
  local sum
  sum=$(printf %s "$manifest" | sha256sum)
  printf '%ssha256=%s\n' "$manifest" "${sum%% *}" | archive_entry "$1" manifest
  head -c 1024 /dev/zero >> "$1"
  sync "$1"
}

# archive_read FILE NAME: an entry, to standard output.
archive_read() {
  tar --extract --to-stdout --file "$1" --occurrence=1 "$2"
}

number='(0|[1-9][0-9]{0,17})'
hash='[0-9a-f]{64}'
moment='[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z'
# The lines of a manifest, in their order. Values go into commands and SQL, and an archive may come from anywhere.
manifest_lines=(
  "format=$archive_format"
  'version=[0-9A-Za-z_][0-9A-Za-z.+_-]{0,127}'
  "taken_at=$moment"
  "finished_at=$moment"
  'postgres=[0-9][0-9A-Za-z.]{0,30}'
  'postgres_major=[1-9][0-9]{0,3}'
  'architecture=[0-9A-Za-z_]{1,30}'
  "system_identifier=$number[0-9]{0,2}"
  'databases=[0-9A-Za-z_-]{1,63}(,[0-9A-Za-z_-]{1,63}){0,199}'
  "data_bytes=$number"
  'encryption=(none|age)'
  "part=secrets\\.tar\\.gz(\\.age)? $number $hash"
  "part=postgres\\.tar\\.gz(\\.age)? $number $hash"
  "sha256=$hash"
)
readonly manifest_lines
unset number hash moment

# manifest_valid: whether $manifest has these lines and no others.
manifest_valid() {
  local line next=0
  while IFS= read -r line; do
    [ "$next" -lt ${#manifest_lines[@]} ] || return 1
    [[ $line =~ ^${manifest_lines[next]}$ ]] || return 1
    next=$((next + 1))
  done <<< "$manifest"
  [ "$next" -eq ${#manifest_lines[@]} ]
}

# value KEY: of the manifest that archive_verify read.
value() {
  local line
  while read -r line; do
    if [ "${line%%=*}" = "$1" ]; then
      printf '%s\n' "${line#*=}"
      return
    fi
  done <<< "$manifest"
}

# archive_verify FILE: reads all of the archive and ends the script unless it is whole. Sets $manifest, and $part_names with
# the names of its parts.
archive_verify() {
  local file=$1 name format sum expected key rest bytes sha256 end entries=mentorhub-backup
  local damaged="$file is damaged"
  [ -f "$file" ] || die "there is no file $file."
  [ -r "$file" ] || die "$file cannot be read."
  name=$(head -c 100 "$file" | tr -d '\0')
  [ "$name" = mentorhub-backup ] || die "$file is no backup of MentorHub."
  format=$(dd if="$file" bs=512 skip=1 count=1 status=none | tr -d '\0\n')
  case $format in
    '' | *[!0-9]* | ?????*) die "$damaged: it does not say which format it has." ;;
  esac
  [ "$format" -le "$archive_format" ] ||
    die "$file has the format $format of a newer MentorHub, and this one knows formats up to $archive_format: restore it with that version."
  manifest=$(archive_read "$file" manifest 2> /dev/null | head -c 65536 | tr -d '\0') ||
    die "$file is cut off or damaged: it has no end."
  sum=$(sed '$d' <<< "$manifest" | sha256sum)
  [ "$(tail -n 1 <<< "$manifest")" = "sha256=${sum%% *}" ] || die "$damaged: its manifest was changed."
  manifest_valid || die "$damaged: its manifest has lines that no backup writes."
  expected=$((512 + $(blocks_of $((${#format} + 1))) + 512 + $(blocks_of $((${#manifest} + 1))) + 1024))
  part_names=()
  while IFS== read -r key rest; do
    [ "$key" = part ] || continue
    read -r name bytes sha256 <<< "$rest"
    part_names+=("$name")
    entries+=$'\n'$name
    expected=$((expected + 512 + $(blocks_of "$bytes")))
  done <<< "$manifest"
  [ "$(size_of "$file")" -eq "$expected" ] ||
    die "$file is cut off or damaged: it has $(size_of "$file") bytes instead of $expected."
  [ "$(tar --list --file "$file" 2> /dev/null)" = "$entries"$'\n'manifest ] ||
    die "$damaged: it does not have the parts that its manifest lists."
  end=$((512 + $(blocks_of $((${#format} + 1)))))
  filled "$file" $((512 + ${#format} + 1)) "$end" || die "$damaged between its parts."
  while IFS== read -r key rest; do
    [ "$key" = part ] || continue
    read -r name bytes sha256 <<< "$rest"
    end=$((end + 512 + $(blocks_of "$bytes")))
    filled "$file" $((end - $(blocks_of "$bytes") + bytes)) "$end" || die "$damaged between its parts."
    sum=$(archive_read "$file" "$name" 2> /dev/null | sha256sum) || die "$damaged in $name."
    [ "${sum%% *}" = "$sha256" ] || die "$damaged in $name."
  done <<< "$manifest"
  filled "$file" $((end + 512 + ${#manifest} + 1)) "$expected" || die "$damaged at its end."
}

# filled FILE FROM TO: whether there is nothing but zeros.
filled() {
  local other
  other=$(dd if="$1" iflag=skip_bytes,count_bytes skip="$2" count=$(($3 - $2)) status=none | tr -d '\0' | wc -c)
  [ "$other" -eq 0 ]
}

# has_part NAME
has_part() {
  local name
  for name in "${part_names[@]}"; do
    if [ "$name" = "$1" ]; then return 0; fi
  done
  return 1
}
