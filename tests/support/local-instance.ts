import { spawn, type ChildProcess } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { runProgram, type Ran } from "../../operations/docker/process.ts";
import { freePortSettings, type PortSettings } from "./free-ports.ts";

/** What the launcher runs once all is installed. */
export const EXAI = join(PROJECT_ROOT, "cli/start/run");

/** What `--json` prints of an event. */
export interface PrintedEvent {
  readonly type: string;
  readonly id?: string;
  readonly status?: string;
  readonly title?: string;
  readonly data?: Record<string, unknown>;
}

/** The events that a command with `--json` has printed. */
export function eventsIn(stdout: string): readonly PrintedEvent[] {
  return stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as PrintedEvent);
}

/** Gates that do not judge the speed of a busy machine, for tests of something else than the gates. */
export const PATIENT_GATES = { gateP95: "60000", gateP99: "60000", gateWebSocket: "30000" } as const;

/** {@link PATIENT_GATES} that also pass soon. */
export const BRIEF_GATES = {
  ...PATIENT_GATES,
  gateMinimumSamples: "40",
  // A busy machine may lose a few probes of a good release; the test itself expects that no user loses anything.
  gateErrorRatio: "0.2",
  // It needs half a minute of samples.
  gateMemoryGrowth: "0",
} as const;

/** A separate local stack, with its own instance name, folder and ports. */
export class LocalInstance {
  readonly name: string;
  readonly home: string;
  readonly ports: PortSettings;

  private constructor(name: string, ports: PortSettings) {
    this.name = name;
    this.home = join(PROJECT_ROOT, ".exai", name);
    this.ports = ports;
  }

  static async create(purpose: string): Promise<LocalInstance> {
    return new LocalInstance(`exai-${purpose}-${process.pid}`, await freePortSettings());
  }

  /** Runs `./exai <words>` on this instance. */
  async exai(words: readonly string[], settings: Readonly<Record<string, string>> = {}): Promise<Ran> {
    return runProgram(EXAI, this.#arguments(words, settings), { cwd: PROJECT_ROOT });
  }

  /** Runs `./exai <words>` with what says which stack it is, and nothing else: a running stack knows its ports. */
  async exaiWithoutPorts(words: readonly string[]): Promise<Ran> {
    const none = Object.fromEntries(Object.keys(this.ports).map((key) => [key, undefined]));
    return runProgram(EXAI, this.#arguments(words, none), { cwd: PROJECT_ROOT });
  }

  /** Starts `./exai <words>` on this instance, for a test that does something to its process. */
  start(
    words: readonly string[],
    settings: Readonly<Record<string, string>> = {},
    stdout: "ignore" | "pipe" = "ignore",
  ): ChildProcess {
    return spawn(EXAI, this.#arguments(words, settings), {
      cwd: PROJECT_ROOT,
      stdio: ["ignore", stdout, "inherit"],
    });
  }

  #arguments(words: readonly string[], settings: Readonly<Record<string, string | undefined>>): string[] {
    const all: Readonly<Record<string, string | number | undefined>> = {
      instance: this.name,
      homeDirectory: join(".exai", this.name),
      ...this.ports,
      ...settings,
    };
    const flags = Object.entries(all).flatMap(([key, value]) =>
      value === undefined ? [] : ["--set", `${key}=${value}`],
    );
    return ["--json", ...words, ...flags];
  }

  /** Runs a verb and returns its events. @throws Error with what it printed, where its exit code is another */
  async events(
    words: readonly string[],
    settings: Readonly<Record<string, string>> = {},
    code = 0,
  ): Promise<readonly PrintedEvent[]> {
    const ran = await this.exai(words, settings);
    if (ran.code !== code)
      throw new Error(`exai ${words.join(" ")} ended with ${ran.code ?? "a signal"}:\n${ran.stdout}\n${ran.stderr}`);
    return eventsIn(ran.stdout);
  }

  /** Removes everything, in any state. */
  async remove(): Promise<void> {
    await this.exai(["down", "--volumes", "--yes"]);
    rmSync(this.home, { recursive: true, force: true });
  }
}
