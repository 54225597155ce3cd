import { existsSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { runInBackground } from "../../../platforms/machine/background.ts";

/** What a program prints that runs in the background, and its exit code. */
async function printed(script: string): Promise<{ readonly code: number; readonly lines: readonly string[] }> {
  const lines: string[] = [];
  const line = (text: string) => lines.push(text);
  const { signal } = new AbortController();
  const code = await runInBackground(["sh", "-c", script, "sh", "a word"], { cwd: tmpdir(), line, signal });
  return { code, lines: lines.toSorted() };
}

describe("a program in the background", () => {
  it("has its arguments, its folder, both of its outputs and its exit code", async () => {
    expect(await printed('echo "1 $1"; echo "2 $PWD" >&2; printf "3 last"; exit 7')).toEqual({
      code: 7,
      lines: ["1 a word", `2 ${tmpdir()}`, "3 last"],
    });
    expect((await printed("kill -9 $$")).code).toBe(1);
  });

  it.runIf(existsSync("/proc/self/autogroup"))(
    "has less weight than others, as a process and as a session",
    async () => {
      const { lines } = await printed("cat /proc/self/autogroup; nice");
      const [session = "", priority] = lines;
      expect(session).toMatch(/^\/autogroup-\d+ nice 19$/);
      expect(Number(priority)).toBe(19);
      const [own] = readFileSync("/proc/self/autogroup", "utf8").split(" ");
      expect(session.split(" ")[0]).not.toBe(own);
    },
  );

  it("ends with all that it has started when it is not wanted any more", async () => {
    const stop = new AbortController();
    const { promise: started, resolve } = Promise.withResolvers<number>();
    const line = (text: string) => {
      resolve(Number(text));
    };
    const run = runInBackground(["sh", "-c", "sleep 600 & echo $!; wait"], {
      cwd: tmpdir(),
      line,
      signal: stop.signal,
    });
    const ended = expect(run).rejects.toThrow("enough");
    const sleeper = await started;
    stop.abort(new Error("enough"));
    await ended;
    const alive = (): boolean => {
      try {
        return process.kill(sleeper, 0);
      } catch {
        return false;
      }
    };
    for (let tries = 0; alive() && tries < 100; tries += 1) await sleep(50);
    expect(alive()).toBe(false);
  });
});
