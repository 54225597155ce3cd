import { RESTORE_DRILL } from "../../contract/backups.ts";
import { UserError } from "../../contract/errors.ts";
import type { Operation } from "../../contract/events.ts";
import { command, fix } from "../../contract/fix.ts";
import { LABELS } from "../../contract/labels.ts";
import { relation } from "../migrations/relation.ts";
import type { DrillCheck } from "../restore/drill.ts";
import type { ScratchInfo } from "../restore/scratch.ts";
import { copyName, type CopiedTable } from "../restore/tables.ts";
import type { Job } from "../rollout/kubernetes/api-types.ts";
import { listDumps } from "./commands.ts";
import { DumpJob, type DumpPlace } from "./job.ts";
import { lastLines, Report } from "./report.ts";
import { chosenDump, type DumpTarget } from "./snapshots.ts";

export interface DumpRestoreRequest {
  readonly target: DumpTarget;
  /** Name of the scratch server. */
  readonly name: string;
  /** Tables with their schema that are copied back into the database under another name. */
  readonly tables: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/** A dump is in a scratch server. A check may have failed: the server shows why. */
export interface DumpRestored {
  readonly outcome: "restored-dump";
  readonly stack: string;
  readonly name: string;
  readonly namespace: string;
  /** Job of the scratch server. */
  readonly container: string;
  /** Label of the dump. */
  readonly backup: string;
  /** What was committed by then is in it. */
  readonly at: Date;
  readonly checks: readonly DrillCheck[];
  readonly tables: readonly CopiedTable[];
  readonly fetchSeconds: number;
  readonly loadSeconds: number;
  readonly proofSeconds: number;
}

/** A scratch server that is forgotten ends automatically: it has the data of all users. */
const LIFETIME_SECONDS = 7 * 86_400;

/**
 * Restores a dump into a scratch server: a pod of the stack's namespace with the server in its own volume, without a port, a token or the key
 * of the repository. It stays until it is dropped, and a week at most.
 *
 * @throws UserError if there is no such dump, or it cannot be loaded
 */
export async function* restoreDump(place: DumpPlace, request: DumpRestoreRequest): Operation<DumpRestored> {
  const { target, name, tables, signal } = request;
  const container = containerName(name);
  if ((await listDumpScratch(place)).some((each) => each.name === name))
    throw new UserError(
      "state-conflict",
      name,
      "a scratch server of this name exists",
      fix`choose another name with --into, or ${command(`restore drop ${name} ${place.stack}`)}`,
    );
  const dump = chosenDump((yield* listDumps(place, signal)).snapshots, target, place.stack);
  const copies = tables.map((table) => {
    const [schema = "public", own = ""] = table.split(".");
    const copy = copyName(own, dump.at);
    return { table, as: `${schema}.${copy}`, from: relation(schema, own), to: relation(schema, copy) };
  });
  const step = { type: "step", id: "restore", title: `restore dump ${dump.label}, and prove the data` } as const;
  const started = performance.now();
  yield { ...step, status: "started" };
  const job = await DumpJob.start(place, {
    cronJob: RESTORE_DRILL,
    name: container,
    labels: { [LABELS.restored]: name },
    deadlineSeconds: LIFETIME_SECONDS,
    containers: {
      fetch: { environment: { RESTORE_SNAPSHOT: dump.label } },
      scratch: {
        args: ["serve"],
        environment: { RESTORE_TABLES: copies.map(({ from, to }) => `${from}\t${to}`).join("\n") },
        // Only a table that is copied back needs the hosted database.
        without: copies.length === 0 ? ["secrets"] : [],
      },
    },
  });
  let kept = false;
  try {
    const { text } = yield* job.output("scratch", step, { signal, enough: (said) => /^end=/m.test(said) });
    const report = new Report(text);
    if (report.value("end") === undefined || report.value("end") === "failed")
      throw new UserError(
        "failed",
        `dump ${dump.label}`,
        report.value("error") ?? lastLines(text),
        fix`${command(`backup verify ${place.stack}`)} says whether the repository is sound`,
      );
    kept = true;
    const checks = report.checks;
    const proved = checks.every(({ status }) => status === "passed");
    yield { ...step, status: proved ? "done" : "failed", seconds: (performance.now() - started) / 1000 };
    const rows = report.all("copied").map((line) => Number(line.split("|").at(-1)));
    return {
      ...{ outcome: "restored-dump", stack: place.stack, name, namespace: place.cluster.namespace, container },
      ...{ backup: dump.label, at: dump.at, checks },
      tables: copies.map(({ table, as }, index) => ({ table, as, rows: rows[index] ?? 0 })),
      fetchSeconds: report.number("fetch") ?? 0,
      loadSeconds: report.number("load") ?? 0,
      proofSeconds: report.number("proof") ?? 0,
    };
  } finally {
    if (!kept) await job.remove();
  }
}

/** The scratch servers of a stack, oldest first. */
export async function listDumpScratch({ cluster, instance }: DumpPlace): Promise<readonly ScratchInfo[]> {
  const jobs = await cluster.list<Job>("batch/v1", "Job", { [LABELS.instance]: instance });
  return jobs
    .flatMap(({ metadata, status }) => {
      const name = metadata.labels?.[LABELS.restored];
      if (name === undefined) return [];
      const createdAt = new Date(metadata.creationTimestamp ?? 0);
      const running = (status?.active ?? 0) > 0;
      return [{ name, container: metadata.name, namespace: cluster.namespace, running, createdAt }];
    })
    .sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime());
}

/** Removes one scratch server. @throws UserError if there is none of that name */
export async function dropDumpScratch(place: DumpPlace, name: string): Promise<ScratchInfo> {
  const found = (await listDumpScratch(place)).find((each) => each.name === name);
  if (found === undefined)
    throw new UserError(
      "not-found",
      name,
      "is not a scratch server of this stack",
      fix`${command(`restore list ${place.stack}`)}`,
    );
  const metadata = { name: found.container, namespace: place.cluster.namespace };
  await place.cluster.remove({ apiVersion: "batch/v1", kind: "Job", metadata });
  return { ...found, stack: place.stack };
}

function containerName(name: string): string {
  return `restored-${name}`;
}
