import { LocalWorkspace, Stack, type EngineEvent, type OutputMap } from "@pulumi/pulumi/automation/index.js";
import { join } from "node:path";
import { UserError } from "../../contract/errors.ts";
import type { Operation } from "../../contract/events.ts";
import { PACK_VARIABLE } from "../../contract/engine/names.ts";
import { runProgram, type Ran } from "../../operations/docker/process.ts";
import { backendEnvironment, type EngineEnvironment } from "./backend.ts";
import { EngineStream } from "./changes.ts";
import { pulumiCli } from "./cli.ts";
import { explain, type EngineOperation } from "./explain.ts";
import { interruptedEngine } from "./interrupted.ts";
import type { EngineTarget } from "./target.ts";
import { effectiveStackFile, type EffectiveStackFile } from "./stack-file.ts";

export interface EngineRequest extends Omit<EngineTarget, "overrides"> {
  /** Root of the project: Pulumi.yaml, the program and the stack files. */
  readonly root: string;
  /** Folder of the policy pack. @default `policies` in the root */
  readonly policyPack?: string;
  /** Values that win over the stack file's, keys without `exai:`. */
  readonly overrides?: Readonly<Record<string, string>>;
}

export interface OperationOptions {
  /** Sent to the CLI as SIGINT: it ends what it has begun and leaves its state consistent. */
  readonly signal?: AbortSignal;
  /** URNs, with wildcards, that the operation is confined to. */
  readonly target?: readonly string[];
}

/** The part of an exported state that is read here. */
interface State {
  readonly resources?: readonly Partial<StateResource & { readonly custom: boolean }>[];
}

/** A resource in the engine's state. */
export interface StateResource {
  readonly urn: string;
  readonly type: string;
  /** What its provider calls it. */
  readonly id: string;
  readonly protect: boolean;
  readonly outputs: Readonly<Record<string, unknown>>;
}

/** A stack of the Pulumi engine. Every operation that may change something runs under the policy pack. */
export class Engine {
  readonly #request: EngineRequest;
  readonly #stack: Stack;
  #file: EffectiveStackFile;
  readonly #policyPack: string;
  readonly #environment: EngineEnvironment;

  private constructor(request: EngineRequest, stack: Stack, file: EffectiveStackFile, environment: EngineEnvironment) {
    this.#environment = environment;
    this.#request = request;
    this.#stack = stack;
    this.#file = file;
    this.#policyPack = request.policyPack ?? join(request.root, "policies");
  }

  /**
   * Finds the CLI, the backend and the stack. Makes a stack only in a backend that this project made.
   *
   * @throws UserError if one of them is missing
   */
  static async open(request: EngineRequest): Promise<Engine> {
    const cli = await pulumiCli();
    const environment = backendEnvironment({
      root: request.root,
      stack: request.stack,
      ...(request.ownBackend === undefined ? {} : { fallback: request.ownBackend }),
    });
    const file = copiedStackFile(request, environment);
    const workspaceOf = (workDir: string, envVars: EngineEnvironment) =>
      LocalWorkspace.create({
        pulumiCommand: cli,
        workDir,
        envVars: { PULUMI_SKIP_UPDATE_CHECK: "true", [PACK_VARIABLE]: "named", ...envVars },
      });
    const workspace = await workspaceOf(request.root, environment);

    const explained = (error: unknown) => {
      throw explain(error, operationOf(request, "preview"));
    };
    const known = (await workspace.listStacks().catch(explained)).some(
      ({ name }) => name.split("/").at(-1) === request.stack,
    );
    if (!known) {
      if (request.ownBackend === undefined)
        throw new UserError(
          "not-found",
          `stack ${request.stack}`,
          "is not in the Pulumi backend",
          `pulumi stack init ${request.stack}`,
        );
      await (await workspaceOf(file.folder, environment)).createStack(request.stack).catch(explained);
    }
    // Keeps the stack that the user has selected: every command names its stack.
    workspace.selectStack = () => Promise.resolve();
    const stack = await Stack.select(request.stack, workspace);
    // The SDK reads the history after each operation, through the shared stack file; it is not used here.
    stack.info = () => Promise.resolve(undefined);
    return new Engine(request, stack, file, environment);
  }

  /** What would change, with the pack's findings. @throws UserError if it cannot be judged or is not allowed */
  async *preview(options: OperationOptions = {}): Operation<EngineStream> {
    const stream = new EngineStream({ preview: true });
    yield* this.#operation(stream, "preview", options, (common) =>
      this.#stack.preview({ ...common, policyPacks: [this.#policyPack] }),
    );
    return stream;
  }

  /** Applies the program. @throws UserError if it fails or is not allowed */
  async *up(options: OperationOptions = {}): Operation<EngineStream> {
    const stream = new EngineStream({ preview: false });
    yield* this.#operation(stream, "up", options, (common) =>
      this.#stack.up({ ...common, policyPacks: [this.#policyPack] }),
    );
    return stream;
  }

  /** Deletes what the stack made. Protected resources, and those that they need, stay. @throws UserError if it fails */
  async *destroy(options: OperationOptions = {}): Operation<EngineStream> {
    const stream = new EngineStream({ preview: false });
    yield* this.#operation(stream, "down", options, (common) =>
      this.#stack.destroy({ ...common, excludeProtected: true }),
    );
    return stream;
  }

  /** Reads resources again. One that does not exist any more is removed from the state. @throws UserError if it fails */
  async *refresh(options: OperationOptions & Required<Pick<OperationOptions, "target">>): Operation<EngineStream> {
    const stream = new EngineStream({ preview: true });
    yield* this.#operation(stream, "up", options, (common) => this.#stack.refresh(common));
    return stream;
  }

  /** The resources in the state, without components. */
  async resources(): Promise<readonly StateResource[]> {
    const exported = (await this.#stack.exportStack()) as { deployment: State };
    const { resources = [] } = exported.deployment;
    return resources
      .filter(({ custom }) => custom === true)
      .map(({ urn = "", type = "", id = "", protect = false, outputs = {} }) => ({ urn, type, id, protect, outputs }));
  }

  /** Removes the protection of resources, so that {@link destroy} also deletes them. */
  async unprotect(urns: readonly string[]): Promise<void> {
    if (urns.length === 0) return;
    const ran = await this.#run(["state", "unprotect", ...urns, "--yes", "--stack", this.#request.stack]);
    if (ran.code !== 0) throw explain(new Error(ran.stderr), operationOf(this.#request, "down"));
  }

  /** The state as `pulumi stack export --show-secrets` writes it: it holds secrets in plain text. */
  async state(): Promise<string> {
    return JSON.stringify(await this.#stack.exportStack());
  }

  /** Outputs of the last `up`. */
  outputs(): Promise<OutputMap> {
    return this.#stack.outputs();
  }

  /**
   * The stack's whole configuration as the stack file has it now, secrets in plain text; keys without `exai:`, without the
   * defaults of Pulumi.yaml.
   */
  async config(): Promise<Readonly<Record<string, string>>> {
    this.#file = copiedStackFile(this.#request, this.#environment);
    const args = [
      "config",
      "--json",
      "--show-secrets",
      "--stack",
      this.#request.stack,
      "--config-file",
      this.#file.path,
    ];
    const ran = await this.#run(args);
    if (ran.code !== 0) throw explain(new Error(ran.stderr), operationOf(this.#request, "preview"));
    const values = JSON.parse(ran.stdout) as Record<string, { value?: string }>;
    return Object.fromEntries(
      Object.entries(values).flatMap(([key, { value }]) =>
        key.startsWith("exai:") && value !== undefined && value !== "" ? [[key.slice("exai:".length), value]] : [],
      ),
    );
  }

  /**
   * Sets values of the project's own stack file, keys without `exai:`; `undefined` removes a key. The CLI encrypts a secret, and
   * reads it from its standard input.
   */
  async configure(
    values: Readonly<Record<string, string | undefined>>,
    options: { readonly secret?: boolean } = {},
  ): Promise<void> {
    const write = async (verb: string, args: readonly string[], input?: string): Promise<void> => {
      const ran = await this.#run(["config", verb, "--stack", this.#request.stack, ...args], input);
      if (ran.code !== 0) throw explain(new Error(ran.stderr), operationOf(this.#request, "preview"));
    };
    const plain: string[] = [];
    const removed: string[] = [];
    for (const [name, value] of Object.entries(values)) {
      const key = `exai:${name}`;
      if (value === undefined) removed.push(key);
      else if (options.secret === true) await write("set", ["--secret", key], value);
      else plain.push("--plaintext", `${key}=${value}`);
    }
    if (plain.length > 0) await write("set-all", plain);
    if (removed.length > 0) await write("rm-all", removed);
  }

  #run(args: readonly string[], input?: string): Promise<Ran> {
    const { workDir, envVars, pulumiCommand } = this.#stack.workspace;
    return runProgram(pulumiCommand.command, [...args, "--non-interactive"], {
      cwd: workDir,
      env: envVars,
      ...(input === undefined ? {} : { input }),
    });
  }

  async *#operation(
    stream: EngineStream,
    verb: "preview" | "up" | "down",
    options: OperationOptions,
    start: (common: CommonOptions) => Promise<unknown>,
  ): Operation<void> {
    const queue: EngineEvent[] = [];
    let wake = (): void => undefined;
    const state: { ended: boolean; failure?: unknown } = { ended: false };
    const running = start({
      configFile: this.#file.path,
      color: "never",
      onEvent: (event) => {
        queue.push(event);
        wake();
      },
      ...(options.target === undefined ? {} : { target: [...options.target] }),
      // A terminal sends Ctrl-C to the CLI itself, and a second one would interrupt the writing of its state.
      ...(options.signal === undefined || process.stdin.isTTY ? {} : { signal: options.signal }),
    })
      .catch((error: unknown) => {
        state.failure = error ?? new Error("the engine failed");
      })
      .finally(() => {
        state.ended = true;
        wake();
      });
    for (;;) {
      for (let event = queue.shift(); event !== undefined; event = queue.shift()) yield* stream.read(event);
      if (state.ended) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    await running;
    const operation = operationOf(this.#request, verb);
    if (options.signal?.aborted === true) throw interruptedEngine({ ...operation, failure: state.failure }, stream);
    if (state.failure !== undefined) throw explain(state.failure, operation, stream);
  }
}

function operationOf({ stack, ownBackend }: EngineRequest, verb: EngineOperation["verb"]): EngineOperation {
  return { verb, stack, local: ownBackend !== undefined };
}

/** Copies the present stack file, with the values of this run. */
function copiedStackFile(request: EngineRequest, environment: EngineEnvironment): EffectiveStackFile {
  return effectiveStackFile(
    request.root,
    request.folder,
    request.stack,
    request.overrides ?? {},
    environment.PULUMI_CONFIG_PASSPHRASE_FILE !== undefined,
  );
}

/** Options of every operation. */
interface CommonOptions {
  readonly configFile: string;
  readonly color: "never";
  readonly onEvent: (event: EngineEvent) => void;
  readonly target?: string[];
  readonly signal?: AbortSignal;
}
