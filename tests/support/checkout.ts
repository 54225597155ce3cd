import { spawn, type ChildProcessByStdio } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import type { Readable } from "node:stream";
import { parse, stringify } from "yaml";
import { runProgram, type Ran } from "../../operations/docker/process.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { eventsIn, type PrintedEvent } from "./local-instance.ts";

/** What a checkout leaves out, and what it shares with this one. */
const LEFT_OUT = [".git", ".exai", "node_modules"];

/**
 * An operator's checkout with its own Pulumi backend: what a verb writes into the stack file or below `.exai`
 * stays there. Verbs are run as they are typed.
 */
export class Checkout {
  readonly root: string;
  /** Variables of the operator's shell. */
  readonly environment: Readonly<Record<string, string>>;

  constructor() {
    const folder = mkdtempSync(join(tmpdir(), "exai-checkout-"));
    this.root = join(folder, "project");
    cpSync(PROJECT_ROOT, this.root, {
      recursive: true,
      filter: (source) => !LEFT_OUT.includes(relative(PROJECT_ROOT, source).split(sep)[0] ?? ""),
    });
    symlinkSync(join(PROJECT_ROOT, "node_modules"), join(this.root, "node_modules"));
    const backend = mkdtempSync(join(folder, "backend-"));
    this.environment = { PULUMI_BACKEND_URL: `file://${backend}`, PULUMI_CONFIG_PASSPHRASE: "of the test" };
  }

  /** The settings in a stack's file, keys without `exai:`; encrypted ones as they stand there. */
  settings(stack: string): Readonly<Record<string, unknown>> {
    const { config } = parse(readFileSync(this.#file(stack), "utf8")) as { config: Record<string, unknown> };
    return Object.fromEntries(Object.entries(config).map(([key, value]) => [key.replace(/^exai:/, ""), value]));
  }

  /** Writes settings into a stack's file in plain text. */
  configure(stack: string, settings: Readonly<Record<string, string>>): void {
    const document = parse(readFileSync(this.#file(stack), "utf8")) as { config: Record<string, unknown> };
    for (const [key, value] of Object.entries(settings)) document.config[`exai:${key}`] = value;
    writeFileSync(this.#file(stack), stringify(document));
  }

  /** Adds an exception from a rule until tomorrow. */
  waive(exception: Readonly<Record<"policy" | "stack" | "type" | "resource" | "reason", string>>): void {
    const file = join(this.root, "policies/waivers.yaml");
    const { waivers } = parse(readFileSync(file, "utf8")) as { waivers: unknown[] };
    const expires = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
    writeFileSync(file, stringify({ waivers: [...waivers, { ...exception, owner: "tests", expires }] }));
  }

  /** Makes the stack in the backend, and puts secret settings into its file, encrypted. */
  async init(stack: string, secrets: Readonly<Record<string, string>> = {}): Promise<void> {
    const run = async (...words: readonly string[]) => {
      const ran = await this.pulumi([...words]);
      if (ran.code !== 0) throw new Error(`pulumi ${words.slice(0, 3).join(" ")}: ${ran.stderr}`);
    };
    await run("stack", "init", stack);
    for (const [key, value] of Object.entries(secrets))
      await run("config", "set", `exai:${key}`, value, "--secret", "--stack", stack);
  }

  /** Runs the CLI of the engine as it is typed. */
  async pulumi(words: readonly string[]): Promise<Ran> {
    return runProgram("pulumi", [...words, "--non-interactive"], { cwd: this.root, env: this.environment });
  }

  /** Runs `./exai <words>`. */
  async exai(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
    return runProgram(join(this.root, "cli/start/run"), ["--json", ...words], { env: { ...this.environment, ...env } });
  }

  /** Runs a verb and returns its events. @throws Error with what it printed, where its exit code is another */
  async events(
    words: readonly string[],
    options: { readonly code?: number; readonly env?: Readonly<Record<string, string>> } = {},
  ): Promise<readonly PrintedEvent[]> {
    const ran = await this.exai(words, options.env);
    if (ran.code !== (options.code ?? 0))
      throw new Error(`exai ${words.join(" ")} ended with ${ran.code ?? "a signal"}:\n${ran.stdout}\n${ran.stderr}`);
    return eventsIn(ran.stdout);
  }

  /** Starts `./exai <words>`, whose events come on its standard output. */
  start(words: readonly string[]): ChildProcessByStdio<null, Readable, null> {
    return spawn(join(this.root, "cli/start/run"), ["--json", ...words], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...this.environment },
    });
  }

  remove(): void {
    rmSync(join(this.root, ".."), { recursive: true, force: true });
  }

  #file(stack: string): string {
    return join(this.root, `Pulumi.${stack}.yaml`);
  }
}
