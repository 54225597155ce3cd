/**
 * What the pool costs: reads of conversations through the server, which are one transaction each, with PgBouncer and straight to
 * PostgreSQL, by one client and by many. The two take turns each second, so that what else the machine does slows both.
 *
 *   node bench/pool.ts [--turns 8] [--clients 20] [--pool 20] [--json FILE]
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { applyMigrations } from "../operations/migrations/apply.ts";
import { buildReferenceServer } from "../operations/images/reference.ts";
import { docker } from "../operations/docker/cli.ts";
import { startPostgresStack } from "../tests/support/postgres-stack.ts";
import { runOperation } from "../tests/support/verbs.ts";
import { markdown, quantileOf } from "./support/figures.ts";
import { TOKEN_KEY, user, Uploader } from "./support/uploads/client.ts";
import { BenchServer } from "./support/uploads/server.ts";

const { values: args } = parseArgs({
  options: {
    turns: { type: "string", default: "8" },
    clients: { type: "string", default: "20" },
    pool: { type: "string", default: "20" },
    json: { type: "string" },
  },
});

const image = "exai/reference-server:bench-pool";
const [stack] = await Promise.all([startPostgresStack(), buildReferenceServer({ tag: image })]);
try {
  await runOperation(applyMigrations(stack.url));
  await stack.sql(`insert into auth.users (id) values ('${user(0)}'); delete from public.rate_limits`);
  const ways = { straight: stack.serverUrl, "through PgBouncer": await stack.startPool(Number(args.pool)) };
  const servers = await Promise.all(
    Object.entries(ways).map(async ([way, url]) => {
      const environment = { EXAI_SERVER_DATABASE_URL: url, EXAI_DATABASE_CONNECTIONS: args.pool };
      return { way, server: await BenchServer.start(image, { ...environment, EXAI_JWT_TOKEN: TOKEN_KEY }) };
    }),
  );
  const rows = [];
  for (const clients of [1, Number(args.clients)]) {
    const measured = servers.map(({ way, server }) => ({ way, server, milliseconds: [] as number[] }));
    // The first turn opens the connections.
    for (let turn = -1; turn < Number(args.turns); turn += 1)
      for (const { server, milliseconds } of measured) {
        const all = await load(server.url, clients);
        if (turn >= 0) milliseconds.push(...all);
      }
    rows.push(...measured.map(({ way, milliseconds }) => ({ way, clients, milliseconds })));
  }
  for (const { server } of servers) await server.stop();
  console.log(
    markdown(
      ["way", "clients", "requests/s", "p50 ms", "p95 ms"],
      rows.map(({ way, clients, milliseconds }) => [
        ...[way, clients, (milliseconds.length / Number(args.turns)).toFixed(0)],
        ...[0.5, 0.95].map((q) => quantileOf(milliseconds, q).toFixed(1)),
      ]),
    ),
  );
  if (args.json !== undefined) writeFileSync(args.json, JSON.stringify(rows, undefined, 2));
} finally {
  await stack.down();
  await docker(["image", "rm", image]);
}

/** Clients that read without a pause for a second. @returns milliseconds of each request */
async function load(url: string, clients: number): Promise<number[]> {
  const milliseconds: number[] = [];
  const until = performance.now() + 1000;
  await Promise.all(
    Array.from({ length: clients }, async () => {
      const client = new Uploader(url, user(0));
      while (performance.now() < until) {
        const asked = performance.now();
        await client.readUntilAnswered(undefined);
        milliseconds.push(performance.now() - asked);
      }
    }),
  );
  return milliseconds;
}
