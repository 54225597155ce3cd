import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { hookDefinition } from "../../../contract/hooks.ts";
import { Hooks } from "../../../operations/hooks/runner.ts";
import { hookCall, SECRET } from "./calls.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "exai-hook-"));
});
afterEach(() => {
  delete process.env.EXAI_TEST_TOKEN;
  rmSync(folder, { recursive: true, force: true });
});

const LIVE = new AbortController().signal;

function runner(command: readonly string[], more: { timeoutSeconds?: number; environment?: string[] } = {}): Hooks {
  const hook = hookDefinition.parse({ name: "acceptance", when: "before-step", command, ...more });
  return new Hooks({ stack: "prod", hooks: [hook], secret: () => Promise.resolve(SECRET), cwd: folder });
}

/** A script of a shell, which a hook names itself if it wants one. */
function script(text: string): readonly string[] {
  writeFileSync(join(folder, "hook.sh"), text);
  return ["/bin/sh", "hook.sh"];
}

async function pidIn(file: string): Promise<number> {
  for (;;) {
    const text = existsSync(join(folder, file)) ? readFileSync(join(folder, file), "utf8").trim() : "";
    if (text !== "") return Number(text);
    await sleep(5);
  }
}

/** Whether a process runs; one that waits for its parent to read its exit code does not. */
function runs(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${String(pid)}/status`, "utf8"));
  } catch {
    return false;
  }
}

it("a program gets its arguments verbatim, since no shell reads them", async () => {
  const hostile = "$(touch reached); `touch reached` && touch reached";
  const end = await runner(["/usr/bin/printf", "%s", hostile]).run(hookCall(), LIVE);
  expect(end).toMatchObject({ outcome: "passed", why: "accepted", status: 0, answer: hostile });
  expect(existsSync(join(folder, "reached"))).toBe(false);
});

it("a program gets the call as JSON and in variables, and no credential that it does not name", async () => {
  process.env.EXAI_TEST_TOKEN = "secret";
  const rollout = { ...hookCall().rollout, image: "$(touch reached)" };
  const command = script('cat > body.json; echo "$EXAI_HOOK_ID $EXAI_HOOK_ATTEMPT $EXAI_IMAGE [$EXAI_TEST_TOKEN]"');
  const id = "20261123T115955Z-abc123-shift-25-acceptance";
  expect((await runner(command).run(hookCall({ rollout }), LIVE)).answer).toBe(`${id} 1 $(touch reached) []`);
  const named = runner(command, { environment: ["EXAI_TEST_TOKEN"] });
  expect((await named.run(hookCall({ rollout }), LIVE)).answer).toBe(`${id} 1 $(touch reached) [secret]`);
  const body = JSON.parse(readFileSync(join(folder, "body.json"), "utf8")) as unknown;
  expect(body).toMatchObject({ type: "rollout.hook", data: { id, step: "shift-25", image: "$(touch reached)" } });
});

it("another exit code, a signal and a missing program fail, with the last words of the output", async () => {
  const loud = await runner(script("seq 1 100000; echo 'last \u001b[31m word' >&2; exit 7")).run(hookCall(), LIVE);
  expect(loud).toMatchObject({ outcome: "failed", why: "refused", status: 7 });
  expect(loud.answer).toMatch(/^….*last \[31m word$/);
  expect(await runner(script("kill -9 $$")).run(hookCall(), LIVE)).toMatchObject({ why: "refused", answer: "SIGKILL" });
  expect(await runner(["./missing"]).run(hookCall(), LIVE)).toMatchObject({ why: "not-started", answer: "ENOENT" });
});

it("a program that ignores SIGTERM is killed with all that it started, at its time-out", async () => {
  const command = script("trap '' TERM; sleep 600 & echo $! > child; while :; do sleep 1; done");
  const end = await runner(command, { timeoutSeconds: 3 }).run(hookCall(), LIVE);
  expect(end).toMatchObject({ outcome: "failed", why: "timeout" });
  const child = await pidIn("child");
  while (runs(child)) await sleep(20);
});

it("a rollout that leaves the state does not wait for its program", async () => {
  const stop = new AbortController();
  const running = runner(script("trap '' TERM; echo $$ > self; while :; do sleep 1; done")).run(
    hookCall(),
    stop.signal,
  );
  const self = await pidIn("self");
  stop.abort(new Error("rolled back"));
  await expect(running).rejects.toThrow("rolled back");
  while (runs(self)) await sleep(20);
});

it("what a program leaves running ends with it and does not hold its result up", async () => {
  const end = await runner(script("sleep 600 & echo $! > child; echo done")).run(hookCall(), LIVE);
  expect(end).toMatchObject({ outcome: "passed", answer: "done" });
  const child = await pidIn("child");
  while (runs(child)) await sleep(20);
});
