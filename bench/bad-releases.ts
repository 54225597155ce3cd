/**
 * Bad releases, each rolled out under load: whether the rollout takes it back by itself, from which state, how long that
 * takes, and how many users' requests failed or were slow until then.
 *
 *   node bench/bad-releases.ts [--json FILE]
 */
import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { LOCAL_IMAGES } from "../contract/images.ts";
import { buildReferenceServer } from "../operations/images/reference.ts";
import { cutover } from "../operations/rollout/cutover.ts";
import { startRolloutStack } from "../tests/support/rollout-stack.ts";
import { between, failures, markdown } from "./support/figures.ts";
import { clock } from "./support/load-clock.ts";
import { LoadThread } from "./support/load-thread.ts";

/** Name, faults of the image (images/reference-server), and whether the release is good. */
const RELEASES = [
  { name: "20 % errors", tag: "bad-errors", faults: "errors=0.2" },
  { name: "3 % errors", tag: "bad-few-errors", faults: "errors=0.03" },
  { name: "2 % take 2 s (p99)", tag: "bad-p99", faults: "latency=2000ms@0.02" },
  { name: "never ready", tag: "bad-never-ready", faults: "never-ready" },
  { name: "crashes after 5 s", tag: "bad-crash", faults: "crash-after=5s" },
  { name: "crashes after 15 s", tag: "bad-crash-later", faults: "crash-after=15s" },
  { name: "good", tag: "good", faults: "" },
] as const;

const LOAD = { requestsPerSecond: 200, webSockets: 20, mcpSessions: 10 } as const;

/** Above this, a request counts as slow; milliseconds. */
const SLOW = 1000;

const { values: args } = parseArgs({ options: { json: { type: "string" }, only: { type: "string" } } });

const stack = await startRolloutStack();
const rows: (string | number)[][] = [];
const results: unknown[] = [];
let surprises = 0;
try {
  for (const release of RELEASES) {
    if (args.only !== undefined && release.tag !== args.only) continue;
    const image = `exai/reference-server:${release.tag}`;
    await buildReferenceServer({ tag: image, ...(release.faults === "" ? {} : { faults: release.faults }) });
    const context = stack.context({ deadlines: { readySeconds: 30 } });
    const load = await LoadThread.start({ routerUrl: stack.routerUrl, webSocketUrl: stack.webSocketUrl, ...LOAD });
    const from = clock();
    const verb = cutover(context, { image, holdSeconds: 10, bakeSeconds: 10, reason: release.name });
    let code: number | undefined;
    while (code === undefined) {
      const next = await verb.next();
      if (next.done === true) code = next.value;
      else if (next.value.type === "step" && next.value.status !== "progress") {
        process.stderr.write(`${release.name}: ${next.value.title} ${next.value.status} ${next.value.detail ?? ""}\n`);
      }
    }
    const to = clock();
    await sleep(1000);
    const requests = between(await load.stop(), from, to);
    const failed = failures(requests).length;
    const slow = requests.filter((record) => record.milliseconds > SLOW).length;
    const { ending } = (await context.journal.read())?.machine ?? {};
    const expected = release.faults === "" ? 0 : 1;
    if (code !== expected) surprises += 1;
    const share = (count: number): string =>
      `${((100 * count) / requests.length).toFixed(3)} % (${String(count)} of ${String(requests.length)})`;
    const seconds = ((to - from) / 1000).toFixed(1);
    rows.push([
      release.name,
      code === 0 ? "completed" : `rolled back from ${ending?.from ?? "?"}`,
      `${seconds} s`,
      share(failed),
      share(slow),
      code === 0 ? "" : (ending?.reason ?? "").slice(0, 160),
    ]);
    results.push({ release, code, seconds: Number(seconds), requests: requests.length, failed, slow, ending });
  }
} finally {
  await stack.down();
}
const title = `against ${LOCAL_IMAGES.referenceServer}, ${String(LOAD.requestsPerSecond)} requests/s`;
process.stdout.write(
  `${title}\n\n${markdown(["release", "outcome", "in", "users' requests failed", `slower than ${String(SLOW)} ms`, "why"], rows)}\n`,
);
if (args.json !== undefined) await writeFile(args.json, JSON.stringify(results, undefined, 2));
process.exitCode = surprises === 0 ? 0 : 1;
