import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import type { Readable } from "node:stream";
import type { RouteTable } from "../../../contract/envoy/routes.ts";
import type { Verb } from "../../../cli/events.ts";
import type { RolloutContext } from "../../../operations/rollout/ports/context.ts";
import type { Journal } from "../../../operations/rollout/model/journal.ts";
import type { OpenRollout } from "../../../operations/rollout/kubernetes/context.ts";
import { startKubernetesStack, type KubernetesStack } from "./stack.ts";
import { KubernetesUsers, type GatewayPlace } from "./users.ts";
import { runVerb } from "../verbs.ts";
import { rollback } from "../rollout/verbs.ts";

const ROOT = join(import.meta.dirname, "../../..");

/** A stack on a cluster and the processes that roll out on it. */
export class KubernetesRollouts {
  readonly stack: KubernetesStack;
  readonly #opened: OpenRollout;
  readonly #children: ChildProcess[] = [];

  private constructor(stack: KubernetesStack, opened: OpenRollout) {
    this.stack = stack;
    this.#opened = opened;
  }

  /** Brings a stack up on the cluster of a kubeconfig. */
  static async start(kubeconfig: string): Promise<KubernetesRollouts> {
    // Its lame duck is 2 s then: on a busy node the proxies need them to leave a pod that is deleted.
    const stack = await startKubernetesStack(kubeconfig, { graceSeconds: "10" });
    try {
      return new KubernetesRollouts(stack, await stack.open());
    } catch (error) {
      await stack.down();
      throw error;
    }
  }

  get context(): RolloutContext {
    return this.#opened.context;
  }

  /** Ends what is left, and takes the stack down. */
  async down(): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    await this.#opened.close();
    await this.stack.down();
  }

  /** The router's own word, and the journal. */
  async state(): Promise<{ readonly table: RouteTable | undefined; readonly journal: Journal | undefined }> {
    const { traffic, journal } = this.context;
    return { table: await traffic.inForce(), journal: await journal.read() };
  }

  /** Runs a verb in this process; resolves with its exit code. */
  async run(verb: (context: RolloutContext) => Verb): Promise<number> {
    return (await runVerb(verb(this.context))).code;
  }

  rollback(): Promise<number> {
    return this.run((context) => rollback(context, { reason: "test" }));
  }

  /** What the users saw during an action; they use the gateway's Service by default. */
  async underLoad(work: () => Promise<unknown>, by: Partial<GatewayPlace> = {}): Promise<KubernetesUsers> {
    const { address, hostname } = this.stack;
    const users = new KubernetesUsers({ address, hostname, ...by }, 20);
    try {
      await work();
    } finally {
      await users.stop();
    }
    return users;
  }

  /** A cutover in a separate process; resolves when it says that a step has begun. */
  async cutoverAt(step: string): Promise<Controller> {
    const controller = this.#controller("cutover");
    await controller.says(`${step} started`);
    return controller;
  }

  /** Resumes a rollout in a separate process; resolves with the verb's exit code. */
  resume(): Promise<number> {
    return this.#controller("resume").ended;
  }

  /** `./exai` in a separate process. */
  async exai(...args: string[]): Promise<{ readonly code: number; readonly said: string }> {
    const set = Object.entries(this.stack.settings)
      .filter(([key]) => !/image$/i.test(key))
      .flatMap(([key, value]) => ["--set", `${key}=${value}`]);
    const words = ["--plain", ...args, "--stack", "staging", ...set];
    const child = spawn(join(ROOT, "cli/start/run"), words);
    this.#children.push(child);
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const [code] = (await once(child, "close")) as [number];
    return { code, said };
  }

  #controller(action: "cutover" | "resume"): Controller {
    const words = [
      join(ROOT, "tests/support/kubernetes/rollout-child.ts"),
      JSON.stringify(this.stack.settings),
      action,
    ];
    const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
    this.#children.push(child);
    return new Controller(child, child.stdout);
  }
}

/** A process that leads a rollout. */
class Controller {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  /** Exit code of its verb; rejects where the process was killed, or broke. */
  readonly ended: Promise<number>;

  constructor(child: ChildProcess, output: Readable) {
    this.#child = child;
    this.#lines = createInterface({ input: output });
    let last = "";
    this.#lines.on("line", (line) => (last = line));
    this.ended = once(child, "close").then(([code, signal]) => {
      if (last !== `ended ${String(code)}`) throw new Error(`the controller broke (${String(code ?? signal)})`);
      return Number(code);
    });
    // The caller that waits for it receives the error.
    this.ended.catch(() => undefined);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Waits for a line of its. @throws Error where it ends without */
  async says(what: string): Promise<void> {
    const said = new Promise<void>((resolve) => {
      this.#lines.on("line", (line) => {
        if (line === what) resolve();
      });
    });
    const never = this.ended.then((code) => {
      throw new Error(`the controller ended with ${String(code)} before it said "${what}"`);
    });
    await Promise.race([said, never]);
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended.catch(() => undefined);
  }
}
