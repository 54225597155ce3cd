import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SERVER_PATHS } from "../../../contract/server.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import type { Journal } from "../../../operations/rollout/model/journal.ts";
import type { Rotation } from "../../../operations/secrets/rotation.ts";
import { EXAI, LocalInstance, BRIEF_GATES } from "../../support/local-instance.ts";
import { roundTrip, signToken, TokenUsers, type IssuedToken } from "../../support/token-users.ts";

/** Life of a token in this test, seconds: the run after the one that is killed in "age" must still find them alive. */
const LIFETIME = 30;

const SETTINGS = { ...BRIEF_GATES, grafana: "false", graceSeconds: "5" };

const ROTATE = ["secrets", "rotate", "jwt", "--steps", "50,100", "--hold", "1s", "--bake", "1s"];

let instance: LocalInstance;
beforeAll(async () => {
  instance = await LocalInstance.create("rotate");
  await instance.events(["up"], SETTINGS);
});
afterAll(async () => {
  await instance.remove();
});

function file(name: string): unknown {
  try {
    return JSON.parse(readFileSync(join(instance.home, name), "utf8"));
  } catch {
    return undefined;
  }
}
const rotation = () => file("rotation.json") as Rotation | undefined;
const secrets = () => (file("secrets.json") ?? {}) as Readonly<Record<string, string>>;
const phase = () => rotation()?.phase;

/** A token as an issuer gives it out that follows `secrets status`. */
function issue(): IssuedToken {
  const keys = secrets();
  const record = rotation();
  const current = keys["rotated-jwt"] ?? keys["generated-jwt"] ?? "";
  const key = record !== undefined && record.phase !== "done" && record.signing === "next" ? keys["next-jwt"] : current;
  return signToken(key ?? current, LIFETIME);
}

const open = (token: string) => roundTrip(`ws://127.0.0.1:${instance.ports.wsPort}/`, token);

/** Plain requests until they are stopped. */
class Requests {
  count = 0;
  readonly failures: string[] = [];
  readonly #stop = new AbortController();
  readonly #running = Promise.all([this.#run(), this.#run()]);

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await sleep(100);
      this.count += 1;
      try {
        const response = await fetch(`http://127.0.0.1:${instance.ports.httpPort}${SERVER_PATHS.apiMetrics}`);
        await response.arrayBuffer();
        if (response.status !== 200) this.failures.push(`HTTP ${String(response.status)}`);
      } catch (error) {
        this.failures.push(String(error));
      }
    }
  }
}

/** Starts the rotation in a separate process and kills it with SIGKILL when the record and the rollout say so. */
async function killWhen(what: string, reached: () => boolean, more: readonly string[] = []): Promise<void> {
  const settings = {
    instance: instance.name,
    homeDirectory: join(".exai", instance.name),
    ...instance.ports,
    ...SETTINGS,
  };
  const flags = Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  const words = ["--json", ...ROTATE, ...more, "--lifetime", `${String(LIFETIME)}s`, ...flags];
  const child = spawn(EXAI, words, { cwd: PROJECT_ROOT, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text) => (said += String(text)));
  const exited = once(child, "exit");
  const deadline = Date.now() + 240_000;
  while (!reached()) {
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`${what}: not reached; ended with ${String(child.exitCode)}\n${said.slice(-3000)}`);
    }
    await sleep(5);
  }
  child.kill("SIGKILL");
  await exited;
}

const rollout = () => (file("rollout/journal.json") as Journal | undefined)?.machine.state.name;
describe("a rotation of the key for tokens", () => {
  it("refuses no token and no request, killed in every phase", async () => {
    const before = secrets()["generated-jwt"] ?? "";
    const users = new TokenUsers({ issue, open, when: () => phase() ?? "" });
    const requests = new Requests();
    try {
      await sleep(2000);
      await killWhen("a cutover of introduce", () => phase() === "introduce" && rollout() === "shift");
      expect(rotation()?.running.green).toBeUndefined();
      await killWhen("the second cutover", () => rotation()?.wanted.blue === "next+current" && rollout() === "deploy");
      await killWhen("age", () => phase() === "age");
      expect(rotation()?.running).toEqual({ blue: "next+current", green: "next+current" });
      expect(rotation()?.signing).toBe("next");
      // Not killed: it says when to go on, and does so only then.
      const waits = await instance.events([...ROTATE, "--lifetime", `${String(LIFETIME)}s`], SETTINGS);
      expect(waits.at(-1)?.data).toMatchObject({
        outcome: "waiting",
        until: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string,
        rotation: { signing: "next" },
      });
      expect(phase()).toBe("age");
      const retires = () => phase() === "retire" && rotation()?.wanted.blue === "next" && rollout() === "ready";
      await killWhen("a cutover of retire", retires, ["--wait"]);
      const last = await instance.events([...ROTATE, "--wait"], SETTINGS);
      expect(last.at(-1)?.data).toMatchObject({ outcome: "replaced" });
      await sleep(1000);
    } finally {
      await Promise.all([users.stop(), requests.stop()]);
    }
    expect([...users.failures, ...requests.failures]).toEqual([]);
    expect(users.opened).toBeGreaterThan(200);
    expect(requests.count).toBeGreaterThan(500);
    expect(users.older, "tokens of the old key after the new one signs").toBeGreaterThan(0);

    const after = secrets();
    expect(after["rotated-jwt"]).not.toBe(before);
    expect(after["next-jwt"]).toBeUndefined();
    expect(rotation()).toMatchObject({ phase: "done", target: "next" });
    // The old key is worth nothing any more, and the new one is what the stack signs with.
    await expect(open(signToken(before, LIFETIME).token)).rejects.toThrow("HTTP 401");
    await open(issue().token);
  }, 900_000);

  it("leaves a stack that up finds as it should be", async () => {
    const events = await instance.events(["up"], SETTINGS);
    expect(
      events.find(({ id }) => id === "start"),
      JSON.stringify(events),
    ).toMatchObject({ status: "unchanged" });
    await open(issue().token);
  });
});
