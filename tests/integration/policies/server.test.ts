import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ResourceGraph } from "../../../contract/graph.ts";
import { docker, tryDocker } from "../../../operations/docker/cli.ts";
import type { SqlFile } from "../../../policies/database/apply.ts";
import type { Database } from "../../../policies/database/facts.ts";
import { read } from "../../../policies/database/read.ts";
import { evaluate } from "../../../policies/model/evaluate.ts";
import { RULES } from "../../../policies/rules/index.ts";
import { buildPostgresImage, HARDENING } from "../../support/postgres-stack.ts";

const name = `exai-policies-${randomBytes(3).toString("hex")}`;
const password = randomBytes(12).toString("hex");
let url = "";

/** A bare server of the image, without what its entry prepares: the rules bring their own prelude. */
const SERVER = [
  'printf %s "$PASSWORD" > /tmp/password',
  "initdb -D /tmp/data -U postgres --auth-host=scram-sha-256 --pwfile=/tmp/password --no-sync",
  'echo "host all all all scram-sha-256" >> /tmp/data/pg_hba.conf',
  'exec postgres -D /tmp/data -c "listen_addresses=*" -c unix_socket_directories=/tmp -c fsync=off',
].join(" && ");

beforeAll(async () => {
  const image = await buildPostgresImage();
  const tmpfs = ["--tmpfs", "/tmp:mode=1777"];
  const run = ["run", "--detach", "--name", name, ...HARDENING, ...tmpfs, "--publish", "127.0.0.1::5432"];
  await docker([...run, "--env", `PASSWORD=${password}`, "--entrypoint", "sh", image, "-c", SERVER]);
  const port = (await docker(["port", name, "5432/tcp"])).trim().split(":").at(-1) ?? "";
  url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
  const until = Date.now() + 60_000;
  for (;;) {
    const client = new pg.Client({ connectionString: url });
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (Date.now() > until) throw error;
      await sleep(200);
    }
  }
});

afterAll(async () => {
  await tryDocker(["rm", "--force", "--volumes", name]);
});

const root = new URL("../../../", import.meta.url);
const at = (file: string): SqlFile => ({ file, text: readFileSync(new URL(file, root), "utf8") });
const prelude = at("supabase/prelude.sql");
const migrations = readdirSync(new URL("supabase/migrations", root))
  .filter((file) => file.endsWith(".sql"))
  .sort()
  .map((file) => at(`supabase/migrations/${file}`));
const weaker: SqlFile = {
  file: "supabase/migrations/99999999999999_weaker.sql",
  text: [
    "create table public.notes (id bigint primary key, user_id uuid not null, body text);",
    "alter table public.notes enable row level security;",
    "grant select, insert on public.notes to authenticated;",
    "create policy anyone on public.notes for select to authenticated using (length(coalesce(body, '')) >= 0);",
  ].join("\n"),
};

/** What the rules about the database say, with the places. */
function verdicts(database: Database): string[] {
  const graph: ResourceGraph = { project: "exai", stack: "prod", resources: [], outputs: {} };
  const rules = RULES.filter((rule) => rule.scope === "database");
  return evaluate(rules, { graph, environment: "prod" }, database)
    .flatMap(({ rule, evaluated, inconclusive, findings }) => [
      `${rule.name}: ${evaluated} ${inconclusive ?? ""}`,
      ...findings.map(
        ({ place, message }) => `${rule.name} ${place.object ?? ""}:${place.source?.line ?? 0} ${message}`,
      ),
    ])
    .sort();
}

describe("the database of EXAI_POSTGRES_URL", () => {
  it("is judged as PGlite is: the same places, and the same findings with their lines", async () => {
    const files = [...migrations, weaker];
    const [server, embedded] = [await read(prelude, files, { url }), await read(prelude, files)];
    expect(server.server).toMatch(/^PostgreSQL \d+/);
    expect(embedded.server).toMatch(/^PGlite/);
    expect(verdicts(server)).toEqual(verdicts(embedded));
    expect(verdicts(server).filter((verdict) => verdict.includes("public.notes"))).not.toEqual([]);
  });

  it("is a new one each time, and dropped", async () => {
    await read(prelude, migrations, { url });
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query("select datname from pg_database where datname like 'exai_plan_%'");
    await client.end();
    expect(rows).toEqual([]);
  });

  it("leaves nothing behind where a migration is broken", async () => {
    const broken: SqlFile = {
      file: "supabase/migrations/99999999999999_broken.sql",
      text: "select 1;\nselect nothing;",
    };
    const { statements } = await read(prelude, [...migrations, broken], { url });
    expect(statements.filter(({ error }) => error !== undefined).map(({ source }) => source)).toEqual([
      { file: broken.file, line: 2 },
    ]);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query("select datname from pg_database where datname like 'exai_plan_%'");
    await client.end();
    expect(rows).toEqual([]);
  });
});
