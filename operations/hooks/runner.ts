import type { HookDefinition, HookEnd, PlannedHook } from "../../contract/hooks.ts";
import type { HookCall, HookRunner } from "../rollout/ports/hooks.ts";
import { kept } from "./answer.ts";
import { callBody } from "./call-body.ts";
import { runProgram } from "./program.ts";
import { runRequest } from "./request.ts";

export interface HooksOptions {
  readonly stack: string;
  readonly hooks: readonly HookDefinition[];
  /** The key that requests are signed with: `whsec_` and base64. Called when a request is made. */
  readonly secret: () => Promise<string>;
  /** Working directory of programs. */
  readonly cwd: string;
}

/** Runs the hooks that the settings of this machine declare. */
export class Hooks implements HookRunner {
  readonly #options: HooksOptions;

  constructor(options: HooksOptions) {
    this.#options = options;
  }

  get hooks(): readonly PlannedHook[] {
    return this.#options.hooks.map(({ name, when, timeoutSeconds, onFailure }) => ({
      ...{ name, when, timeoutSeconds, onFailure },
    }));
  }

  async run(call: HookCall, signal: AbortSignal): Promise<HookEnd> {
    const started = performance.now();
    const end = await this.#run(call, signal);
    return { ...end, seconds: Math.round((performance.now() - started) / 10) / 100 };
  }

  async #run(call: HookCall, signal: AbortSignal): Promise<Omit<HookEnd, "seconds">> {
    const { stack, hooks, cwd, secret } = this.#options;
    const hook = hooks.find(({ name }) => name === call.hook);
    if (hook === undefined) return { outcome: "failed", why: "not-configured" };
    const { url, command = [], environment, timeoutSeconds } = hook;
    const body = callBody(stack, call, Date.now());
    if (url === undefined) return runProgram({ command, environment, cwd }, body, timeoutSeconds, signal);
    let key: string;
    try {
      key = await secret();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { outcome: "failed", why: "not-configured", ...kept(message, "start") };
    }
    signal.throwIfAborted();
    return runRequest(url, key, body, timeoutSeconds, signal);
  }
}
