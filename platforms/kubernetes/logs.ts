import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import { UserError } from "../../contract/errors.ts";
import type { LogEvent } from "../../contract/events.ts";
import { command, fix } from "../../contract/fix.ts";
import { LABELS } from "../../contract/labels.ts";
import type { Found, Pod } from "../../operations/rollout/kubernetes/api-types.ts";
import type { DeclaredStack } from "../declared.ts";
import type { LogsOptions } from "../platform.ts";
import { clusterOf } from "./rollout.ts";

/** Log lines of one service of a stack on a cluster, or of all: of every pod and every container. */
export async function* clusterLogs(
  { name, settings }: DeclaredStack,
  { service, follow, tail, signal }: LogsOptions,
): AsyncGenerator<LogEvent, void, void> {
  const cluster = clusterOf(settings);
  const pods = await cluster.list<Pod>("v1", "Pod", { [LABELS.instance]: settings.instance });
  const chosen = pods.filter((pod) => service === undefined || serviceOf(pod) === service);
  if (chosen.length === 0) {
    const known = [...new Set(pods.map(serviceOf))].sort().join(", ");
    throw new UserError(
      "not-found",
      service ?? name,
      known === "" ? "no service runs" : `is not a running service; these run: ${known}`,
      fix`${command(known === "" ? `up ${name}` : `status ${name}`)}`,
    );
  }
  const lines = new PassThrough({ objectMode: true });
  const containers = chosen.flatMap((pod) =>
    (pod.spec?.containers ?? []).map((container) => [pod, container.name] as const),
  );
  const ended = containers.map(async ([pod, container]) => {
    const log = new PassThrough();
    // Two pods of one service write at the same time.
    const label = `${serviceOf(pod)} ${pod.metadata.name}`;
    const read = createInterface({ input: log });
    read.on("line", (line) => lines.write({ type: "log", service: label, line } satisfies LogEvent));
    const stop = await cluster.writeLog(pod.metadata.name, container, log, { tailLines: tail, follow });
    signal.addEventListener(
      "abort",
      () => {
        stop.abort();
      },
      { once: true },
    );
    await new Promise((resolve) => read.once("close", resolve));
  });
  const all = Promise.allSettled(ended).then((results) => {
    lines.end();
    return results;
  });
  yield* lines as AsyncIterable<LogEvent>;
  const failed = (await all).find((result) => result.status === "rejected");
  if (failed !== undefined && !signal.aborted) throw failed.reason;
}

/** `server-blue`, `prometheus`, …: what `status` calls it. */
function serviceOf({ metadata }: Found<Pod>): string {
  const { [LABELS.component]: component = metadata.name, [LABELS.slot]: slot } = metadata.labels ?? {};
  return slot === undefined ? component : `${component}-${slot}`;
}
