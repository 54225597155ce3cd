import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, it } from "vitest";
import { tryDocker } from "../../../operations/docker/cli.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { openScratch } from "../../../operations/reconcile/scratch.ts";

/** Whether a container publishes the port of a URL. */
async function isUp(url: string): Promise<boolean> {
  const { stdout } = await tryDocker(["ps", "--filter", "label=exai.scratch", "--format", "{{.Ports}}"]);
  return stdout.includes(`:${new URL(url).port}->`);
}

it("the scratch server of a killed command is removed by the next one, and that of a running command is not", async () => {
  const module = join(PROJECT_ROOT, "operations/reconcile/scratch.ts");
  const script = `const { openScratch } = await import(${JSON.stringify(module)});
    console.log((await openScratch()).url); setInterval(() => {}, 1000)`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const own = await openScratch();
  try {
    const [killed] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
    child.kill("SIGKILL");
    await once(child, "close");
    expect(await isUp(killed)).toBe(true);
    const next = await openScratch();
    expect([await isUp(killed), await isUp(own.url)]).toEqual([false, true]);
    await next.end();
  } finally {
    child.kill("SIGKILL");
    await own.end();
  }
});
