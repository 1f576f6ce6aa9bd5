import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.js';
import { ensureTools } from './engine.js';
import { type Docker, mirror } from './images.js';

/** The images that docker-compose.yml takes from others. */
export interface ServerImages {
  postgres: string;
  nats: string;
  caddy: string;
}

/** PostgreSQL 18 is in no release of Debian yet. */
const suite = 'forky';

const packages = [
  'base-files',
  'bash',
  'busybox',
  'caddy',
  'coreutils',
  'dash',
  'findutils',
  'grep',
  'gzip',
  'libc-bin',
  'libcap2-bin',
  'nats-server',
  'postgresql-18',
  'sed',
  'tar',
];

/**
 * As the official image does it, for what docker-compose.yml relies on. Its rules trust 127.0.0.1 unless
 * `POSTGRES_INITDB_ARGS` says otherwise.
 */
const postgresEntrypoint = `#!/bin/sh
set -eu
[ "\${1#-}" = "$1" ] || set -- postgres "$@"
[ "$1" = postgres ] || exec "$@"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$PGDATA"
  chmod 700 "$PGDATA"
  eval "initdb --username=postgres --pwfile=\\"$POSTGRES_PASSWORD_FILE\\" \${POSTGRES_INITDB_ARGS-}"
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
fi
exec "$@" -c listen_addresses='*'
`;

const natsEntrypoint = `#!/bin/sh
set -eu
[ "\${1#-}" = "$1" ] || set -- nats-server "$@"
exec "$@"
`;

const dockerfiles = (base: string): Record<keyof ServerImages, string> => ({
  postgres: `FROM ${base}
RUN echo postgres:x:999:999::/var/lib/postgresql:/bin/sh >> /etc/passwd && echo postgres:x:999: >> /etc/group && \\
    install -d -o 999 -g 999 -m 1777 /var/lib/postgresql && install -d -o 999 -g 999 -m 3777 /var/run/postgresql
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/18/bin LANG=C.UTF-8
ENV PGDATA=/var/lib/postgresql/18/docker
VOLUME /var/lib/postgresql
COPY --chmod=755 postgres.sh /usr/local/bin/docker-entrypoint.sh
ENTRYPOINT ["docker-entrypoint.sh"]
STOPSIGNAL SIGINT
CMD ["postgres"]
`,
  nats: `FROM ${base}
RUN ln -s busybox /usr/bin/wget
COPY --chmod=755 nats.sh /usr/local/bin/docker-entrypoint.sh
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["nats-server", "--config", "/etc/nats/nats-server.conf"]
`,
  caddy: `FROM ${base}
RUN ln -s busybox /usr/bin/wget && setcap cap_net_bind_service=+ep /usr/bin/caddy && \\
    mkdir -p /config/caddy /data/caddy /srv && chmod -R g=u /config /data
ENV XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data
WORKDIR /srv
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
`,
});

/**
 * Images made of Debian packages that behave like the official ones as far as docker-compose.yml relies on them, for
 * machines that reach no image registry. POSTGRES_IMAGE, NATS_IMAGE and CADDY_IMAGE choose others.
 */
export async function serverImages(docker: Docker, directory: string): Promise<ServerImages> {
  const base = `mentorhub-standin/servers:${suite}`;
  const recipes = dockerfiles(base);
  const made: ServerImages = {
    postgres: standIn('postgres', recipes.postgres),
    nats: standIn('nats', recipes.nats),
    caddy: standIn('caddy', recipes.caddy),
  };
  const context = join(directory, 'servers');
  const names = Object.keys(made) as (keyof ServerImages)[];
  for (const name of names) {
    const given = process.env[`${name.toUpperCase()}_IMAGE`];
    if (given !== undefined) {
      made[name] = given;
      continue;
    }
    if (await docker.has(made[name])) continue;
    rmSync(context, { recursive: true, force: true });
    mkdirSync(context, { recursive: true });
    if (!(await docker.has(base))) await bootstrap(docker, base, context);
    writeFileSync(join(context, 'Dockerfile'), recipes[name]);
    writeFileSync(join(context, 'postgres.sh'), postgresEntrypoint);
    writeFileSync(join(context, 'nats.sh'), natsEntrypoint);
    await docker.run('build', '--quiet', '--network', 'host', '--tag', made[name], context);
    rmSync(context, { recursive: true });
  }
  return made;
}

/** The tag changes with what the image is made from, so that none of before is used. */
function standIn(name: keyof ServerImages, recipe: string): string {
  const made = [recipe, postgresEntrypoint, natsEntrypoint].join('\0');
  const hash = createHash('sha256').update(made).digest('hex').slice(0, 12);
  return `mentorhub-standin/${name}:${suite}-${hash}`;
}

async function bootstrap(docker: Docker, image: string, directory: string): Promise<void> {
  await ensureTools(['mmdebstrap']);
  const archive = join(directory, 'base.tar');
  const options = [
    '--variant=extract',
    `--include=${packages.join(',')}`,
    // Of a suite that is not released, mirrors may lag behind. Signatures are checked all the same.
    '--aptopt=Acquire::Check-Valid-Until "false"',
  ];
  await run('mmdebstrap', [...options, suite, archive, mirror]);
  await docker.run('import', archive, image);
  rmSync(archive);
}
