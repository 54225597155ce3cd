import { UserError } from "../../../contract/errors.ts";
import type { Operation } from "../../../contract/events.ts";
import { command, fix } from "../../../contract/fix.ts";
import { timed } from "../../../contract/timed.ts";
import { docker, tryDocker } from "../../../operations/docker/cli.ts";
import type { BranchHost, CreatedCopy, RunningCopy } from "../../../operations/branches/host.ts";
import type { BranchTarget, CopyOptions, CopySource } from "../../../operations/branches/model.ts";
import type { DockerStack } from "../project.ts";
import { branchesContainer, type BranchesContainer } from "./container.ts";

/** Name of the password of a branch's owner among the stack's generated ones. */
const passwordName = (name: string) => `branch-${name}`;

const SOURCES: Readonly<Record<CopySource, string>> = {
  ...{ spare: "from the spare", copy: "from the base", restored: "restored", ledger: "from the ledger" },
};

/** The branches of a local stack: servers in one container, which its script `exai-branches` makes. */
export class DockerBranchHost implements BranchHost {
  readonly kind = "local";
  readonly #stack: DockerStack;
  #container: Promise<BranchesContainer> | undefined;
  /** Ports of the copies that this process has made. */
  readonly #made = new Map<string, number>();

  constructor(stack: DockerStack) {
    this.#stack = stack;
  }

  check({ withData, persistent }: CopyOptions): Promise<void> {
    const option = withData === true ? "--with-data" : persistent === true ? "--persistent" : undefined;
    if (option === undefined) return Promise.resolve();
    throw new UserError(
      "invalid-argument",
      option,
      "is for hosted branches: a local one has main's data, and stays",
      "leave it out",
    );
  }

  proofCopy() {
    return Promise.resolve({ name: "_proof", options: {} });
  }

  async *create(name: string, { target }: CopyOptions = {}): Operation<CreatedCopy> {
    return yield* timed(
      "copy",
      "copy main",
      () =>
        this.#create(name, target).catch(async (error: unknown) => {
          await this.remove(name).catch(() => undefined);
          throw error;
        }),
      ({ source, lsn = "" }) => ({ detail: `${SOURCES[source]}, up to ${lsn}` }),
    );
  }

  async #create(name: string, target?: BranchTarget): Promise<CreatedCopy> {
    const words = ["create", name, ...(target === undefined ? [] : [target.kind, target.value])];
    const { id } = await this.#opened();
    const input = this.#stack.state.password(passwordName(name), 32);
    const { code, stdout, stderr } = await tryDocker(["exec", "--interactive", id, "exai-branches", ...words], {
      input,
    });
    if (code !== 0) throw createError(name, target, code, stderr);
    const [source = "", lsn = "", asOf = "", port, bytes] = stdout.trim().split("|");
    this.#made.set(name, Number(port));
    const copy = { running: true, sizeBytes: Number(bytes) };
    return { source: source as CopySource, lsn, ...(asOf === "" ? {} : { asOf }), copy };
  }

  async prepareSpare(): Promise<void> {
    await docker(["exec", "--detach", (await this.#opened()).id, "exai-branches", "spare"]);
  }

  async remove(name: string): Promise<void> {
    this.#made.delete(name);
    await this.#exec(["delete", name]);
    this.#stack.state.setPasswords({ [passwordName(name)]: undefined });
  }

  async copies(): Promise<ReadonlyMap<string, RunningCopy>> {
    return this.#copies();
  }

  async url(name: string): Promise<string> {
    const port = (await this.#opened()).ports.get(this.#made.get(name) ?? (await this.#runningPort(name)) ?? 0);
    if (port === undefined)
      throw new UserError(
        "state-conflict",
        `branch ${name}`,
        "does not run",
        fix`${command("logs branches")}, or ${command(`branch reset ${name}`)}`,
      );
    const password = this.#stack.state.known(passwordName(name)) ?? "";
    return `postgres://postgres:${password}@127.0.0.1:${String(port)}/postgres?sslmode=disable`;
  }

  async #runningPort(name: string): Promise<number | undefined> {
    const copy = (await this.#copies()).get(name);
    return copy?.running === true ? copy.port : undefined;
  }

  async #copies(): Promise<ReadonlyMap<string, RunningCopy & { readonly port: number }>> {
    const lines = (await this.#exec(["list"])).split("\n").filter(Boolean);
    return new Map(
      lines.map((line) => {
        const [name = "", state, port, size] = line.split("|");
        return [name, { running: state === "running", port: Number(port), sizeBytes: Number(size) }];
      }),
    );
  }

  async #exec(words: readonly string[]): Promise<string> {
    return docker(["exec", (await this.#opened()).id, "exai-branches", ...words]);
  }

  #opened(): Promise<BranchesContainer> {
    const { settings, declared } = this.#stack;
    return (this.#container ??= branchesContainer(settings.instance, declared.name));
  }
}

/** Exit code of `exai-branches create` if there are as many branches as there may be. */
const FULL = 5;

function createError(name: string, target: BranchTarget | undefined, code: number | null, stderr: string): UserError {
  const reason = stderr.trim().split("\n").slice(-3).join("; ").replace("ERROR: ", "");
  if (code === FULL)
    return new UserError(
      "state-conflict",
      `branch ${name}`,
      reason.replace("exai-branches: ", ""),
      fix`${command("branch list")}, then ${command("branch delete <name>")}`,
    );
  if (/no backup set|unable to find backup set|no backup sets to restore|FileMissingError|backup\.info/i.test(reason))
    return new UserError(
      "not-found",
      `branch ${name}`,
      target === undefined
        ? `there is no backup to copy: ${reason}`
        : `no backup is older than ${target.value}: ${reason}`,
      target === undefined
        ? fix`${command("backup now --kind full")}, then run the command again`
        : fix`${command("backup list")} shows the oldest`,
    );
  return new UserError(
    "failed",
    `branch ${name}`,
    `the copy failed: ${reason}`,
    fix`${command("backup list")}; ${command("logs branches")}`,
  );
}
