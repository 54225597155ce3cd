import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { runProgram, type Ran } from "../../../operations/docker/process.ts";
import { EXAI, PATIENT_GATES, type LocalInstance } from "../local-instance.ts";

/** What a documented command did. */
export interface Printed {
  readonly code: number | null;
  /** Standard output and standard error in their order, as on the default stack of a user. */
  readonly lines: readonly string[];
}

/** Ports of a stack without settings. */
const DEFAULT_PORTS: Readonly<Record<keyof LocalInstance["ports"], number>> = {
  httpPort: 8080,
  wsPort: 8079,
  observePort: 9901,
  prometheusPort: 9090,
  alertmanagerPort: 9093,
  grafanaPort: 3000,
  postgresPort: 5432,
};

/** Gates that pass soon, where the figures of a step are not looked at. */
const QUICK = { gateMinimumSamples: "50", gateMemoryGrowth: "0" } as const;

/** A shell in which the commands of a page run unchanged, on a separate stack in place of the default one. */
export class DocsShell {
  readonly #instance: LocalInstance;
  readonly #program: Command;
  readonly #quick: boolean;
  /** In which `./exai` is, as in a checkout. */
  readonly #folder = mkdtempSync(join(tmpdir(), "exai-docs-"));

  /** @param quick whether a cutover takes as little time as possible */
  constructor(instance: LocalInstance, program: Command, quick: boolean) {
    this.#instance = instance;
    this.#program = program;
    this.#quick = quick;
    writeFileSync(join(this.#folder, "exai"), `#!/bin/sh\nexec "${EXAI}" "$@"\n`, {
      mode: 0o755,
    });
  }

  async run(command: string): Promise<Printed> {
    const options = `--import ${fileURLToPath(new URL("as-ann.ts", import.meta.url))}`;
    const env = { NODE_OPTIONS: options, NODE_NO_WARNINGS: "1", CI: "", FORCE_COLOR: "0" };
    const script = `exec 2>&1\n${this.#onInstance(command)}`;
    const ran: Ran = await runProgram("bash", ["-o", "pipefail", "-c", script], { cwd: this.#folder, env });
    return { code: ran.code, lines: this.#asDefault(ran.stdout).trimEnd().split("\n") };
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The command with the settings of the stack, where it is about the local one. */
  #onInstance(command: string): string {
    const { name, home, ports } = this.#instance;
    return command.replaceAll(/\.\/exai ((?:"[^"]*"|[^|;&>#"])*)/g, (typed, words: string) => {
      if (!this.#takesSettings(words) || /\b(?:staging|prod)\b/.test(words)) return typed;
      // The pages show what a release does on an idle machine: the gates of a cutover do not judge the speed of this one.
      const gates = words.startsWith("cutover") ? { ...PATIENT_GATES, ...(this.#quick ? QUICK : {}) } : {};
      const settings = { instance: name, homeDirectory: home, grafana: "false", ...ports, ...gates };
      const flags = Object.entries(settings).map(([key, value]) => `--set ${key}=${String(value)}`);
      // Times that the page gives come later, and win.
      const timed = this.#quick ? words.replace(/^cutover /, "cutover --hold 2s --bake 2s ") : words;
      return `./exai ${timed.trim()} ${flags.join(" ")} `;
    });
  }

  #takesSettings(words: string): boolean {
    let verb = this.#program;
    for (const word of words.split(/\s+/)) verb = verb.commands.find((each) => each.name() === word) ?? verb;
    return verb.options.some(({ long }) => long === "--set");
  }

  /** What the default stack would have printed. */
  #asDefault(text: string): string {
    const { name, home, ports } = this.#instance;
    const names = text
      .replaceAll(home, ".exai/local")
      .replaceAll(`.exai/${name}`, ".exai/local")
      .replaceAll(name, "exai");
    return Object.entries(ports).reduce(
      (words, [key, port]) =>
        words.replaceAll(
          new RegExp(`\\b${String(port)}\\b`, "g"),
          String(DEFAULT_PORTS[key as keyof typeof DEFAULT_PORTS]),
        ),
      names,
    );
  }
}
