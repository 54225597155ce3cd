import { beforeAll, expect, it } from "vitest";
import { tryDocker } from "../../../operations/docker/cli.ts";
import { buildPostgresImage } from "../../support/postgres-stack.ts";

// cspell:ignore PGSQL
let image: string;
beforeAll(async () => {
  image = await buildPostgresImage();
});

/** A script in a container with a database that was killed, and `server`, which starts it and waits for it. */
async function afterKill(script: string): Promise<string> {
  const started = `exec 2>&1
for name in POSTGRES_PASSWORD BACKUP_PASSPHRASE; do echo secret > /tmp/$name; export \${name}_FILE=/tmp/$name; done
server() {
  exai-postgres server "$@" > /tmp/server.log 2>&1 &
  until pg_isready --quiet; do kill -0 $! 2> /dev/null || { tail -2 /tmp/server.log; return 1; }; sleep 0.1; done
  echo ready
}
server > /dev/null
kill -KILL "$(head -1 "$PGDATA/postmaster.pid")"
while grep -qsx postgres /proc/[0-9]*/comm; do sleep 0.1; done
${script}`;
  const { stdout } = await tryDocker([
    ...["run", "--rm", "--network", "none", "--entrypoint", "bash", image, "-c", started],
  ]);
  return stdout;
}

it("starts again when another program has the number of its process", async () => {
  const said = await afterKill(`sleep 1000 &
sed -i "1s/.*/$!/" "$PGDATA/postmaster.pid" /run/postgresql/.s.PGSQL.5432.lock
server`);
  expect(said).toBe("ready\n");
});

it("is refused while another server has its files", async () => {
  const said = await afterKill(`server
exai-postgres server
pg_isready`);
  expect(said).toMatch(/^ready\n[^]*FATAL: +lock file [^]*already exists[^]*accepting connections\n$/);
});

it("archives the open segment in time after its recovery", async () => {
  const said = await afterKill(`server -c archive_timeout=1s -c archive_command=true
export PGPASSWORD=secret PGUSER=postgres
segment() { psql -XAtc "select pg_walfile_name(pg_current_wal_insert_lsn())"; }
first=$(segment)
psql -Xqc "create table written ()"
for i in $(seq 50); do
  [ "$(segment)" = "$first" ] || { echo archived; exit; }
  sleep 0.2
done`);
  expect(said).toBe("ready\narchived\n");
});
