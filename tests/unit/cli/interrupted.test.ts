import { PGlite } from "@electric-sql/pglite";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { interruptedEvent } from "../../../cli/errors.ts";
import { run } from "../../../cli/run.ts";
import type { PrintedEvent } from "../../../cli/events.ts";
import { command, fix } from "../../../contract/fix.ts";
import { Interrupted } from "../../../contract/interrupted.ts";
import { migrationFiles } from "../../../contract/sql/files.ts";
import { interruptedBackup } from "../../../operations/backups/request.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { interruptedDrill } from "../../../operations/restore/drill.ts";
import { EngineStream } from "../../../platforms/pulumi/changes.ts";
import { interruptedEngine } from "../../../platforms/pulumi/interrupted.ts";

it("an interruption says what an operation knows, and promises nothing otherwise", () => {
  const known = new Interrupted("process 7 may still apply it", fix`${command("migrate plan")}`);
  expect(interruptedEvent(known)).toMatchObject({
    message: "interrupted; process 7 may still apply it",
    fix: known.fix,
    exitCode: 130,
  });
  expect(interruptedEvent(new Error("aborted")).message).toContain("may still be carried out");
});

it.each(["SIGINT", "SIGTERM"] as const)(
  "%s ends a verb at its next event, with its finally blocks and what it knows",
  async (name) => {
    const shown: PrintedEvent[] = [];
    let cleaned = false;
    const verb = async function* (signal: AbortSignal) {
      try {
        yield { type: "note", level: "info", message: "begun" } as const;
        await new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            reject(new Interrupted("it is half done", fix`${command("up")} continues`));
          });
          process.emit(name);
        });
        return 0 as const;
      } finally {
        cleaned = true;
      }
    };
    const renderer = { show: (event: PrintedEvent) => void shown.push(event), close: () => undefined };
    expect(await run(verb, {}, renderer)).toBe(130);
    expect(cleaned).toBe(true);
    expect(shown.at(-1)).toMatchObject({ code: "interrupted", message: "interrupted; it is half done" });
  },
);

describe("an operation of the engine that is ended", () => {
  const urn = "urn:pulumi:prod::exai::docker:index/container:Container::server-blue";
  const metadata = { op: "create", urn, type: "docker:index/container:Container", new: { custom: true } };
  const begins = { sequence: 1, timestamp: 1, resourcePreEvent: { metadata } } as never;
  const ends = { sequence: 2, timestamp: 2, resOutputsEvent: { metadata } } as never;
  const failure = new Error("killed");
  const ended = (verb: "preview" | "up" | "down", events: readonly never[], more: object = {}) => {
    const stream = new EngineStream({ preview: verb === "preview" });
    for (const event of events) Array.from(stream.read(event));
    const { message, fix: next } = interruptedEngine({ verb, stack: "prod", local: false, failure, ...more }, stream);
    return [message, String(next)];
  };

  it("names what it had begun, and the command that continues", () => {
    expect(ended("up", [begins])).toEqual([
      "the engine has ended; operations done: 0; what may still be carried out: create Container server-blue",
      "exai up prod continues",
    ]);
    expect(ended("down", [begins, ends])).toEqual([
      "the engine has ended; operations done: 1",
      "exai down prod continues, exai up prod makes again what is deleted",
    ]);
    expect(ended("up", [begins], { local: true, stack: "local" })[1]).toBe("exai up local --engine continues");
  });

  it("has changed nothing in a preview, and may be complete", () => {
    expect(ended("preview", [begins])[0]).toBe("the engine has changed no resource");
    expect(ended("up", [begins, ends], { failure: undefined })[0]).toBe("the engine had completed its operations");
  });
});

describe("a request to the backup runner that is no longer waited for", () => {
  let db: PGlite;
  const client = () => db as unknown as pg.Client;
  const idOf = async (sql: string) => (await db.query<{ id: string }>(sql)).rows[0]?.id ?? "";
  beforeAll(async () => {
    db = new PGlite();
    await db.exec(readFileSync(join(PROJECT_ROOT, "supabase/prelude.sql"), "utf8"));
    for (const { sql } of migrationFiles(PROJECT_ROOT)) await db.exec(sql);
  });
  afterAll(() => db.close());

  it.each([
    ["drill", "select exai.drill_request() as id", "select exai.drill_claim()", interruptedDrill],
    [
      "backup",
      "select exai.backup_request('full') as id",
      "update public.backup_history set status = 'in_progress', started_at = now()",
      interruptedBackup,
    ],
  ])("is withdrawn, or goes on if the runner has it: %s", async (what, request, claim, interrupted) => {
    const waiting = await idOf(request);
    expect((await interrupted(client(), waiting)).message).toMatch(/^the request was withdrawn; no \w+ is /);
    const begun = await idOf(request);
    expect(begun).not.toBe(waiting);
    await db.query(claim);
    const { message } = await interrupted(client(), begun);
    expect(message).toMatch(new RegExp(`^${what} ${begun} had begun, and the runner continues it`));
  });

  it("is unknown if the database is gone", async () => {
    const gone = new PGlite();
    await gone.close();
    for (const interrupted of [interruptedDrill, interruptedBackup])
      expect((await interrupted(gone as unknown as pg.Client, "7")).message).toMatch(/^it is unknown whether/);
  });
});
