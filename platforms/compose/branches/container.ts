import { UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import { BRANCHES, LABELS } from "../../../contract/labels.ts";
import { docker, tryDocker } from "../../../operations/docker/cli.ts";
import { nextFree } from "../../machine/listeners.ts";
import { containersOf } from "../containers.ts";

/** Ports inside the container: of eight branches, of the spare, and of the copy that a merge is tried on. */
const BRANCH_PORTS: readonly number[] = [6001, 6002, 6003, 6004, 6005, 6006, 6007, 6008, 6009, 6010];

/** The first port on the host that is tried. */
const FIRST_PORT = 54_400;

/** The volume with the files of the branches. */
export function branchesVolume(instance: string): string {
  return `${instance}-postgres-branches`;
}

/** The container of the branches, started if it does not run. @throws UserError if the stack does not run */
export async function branchesContainer(instance: string, stack: string): Promise<BranchesContainer> {
  const containers = await containersOf(instance);
  const runner = containers.get("backup-runner");
  if (runner?.state !== "running")
    throw new UserError(
      "state-conflict",
      `stack ${stack}`,
      "has no running backup runner, and branches are made from its backups",
      fix`${command("up")}`,
    );
  const present = containers.get(BRANCHES);
  // Another version of the image may have another version of the program.
  if (present?.state === "running" && present.imageId === runner.imageId) return opened(present.id, present.ports);
  if (present !== undefined) await docker(["rm", "--force", present.id]);
  return start(instance, stack, runner);
}

/** A container of branches that runs. */
export interface BranchesContainer {
  readonly id: string;
  /** Port on the host of each port inside. */
  readonly ports: ReadonlyMap<number, number>;
}

function opened(id: string, ports: readonly string[]): BranchesContainer {
  const pairs = ports
    .map((each) => /:(\d+)->(\d+)$/.exec(each))
    .flatMap((match) => (match === null ? [] : [[Number(match[2]), Number(match[1])] as const]));
  return { id, ports: new Map(pairs) };
}

async function start(
  instance: string,
  stack: string,
  runner: { readonly id: string; readonly imageId: string },
): Promise<BranchesContainer> {
  const labels = Object.entries({ [LABELS.instance]: instance, [LABELS.stack]: stack, [LABELS.component]: BRANCHES });
  const labelled = labels.flatMap(([label, value]) => ["--label", `${label}=${value}`]);
  const name = `${instance}-${BRANCHES}`;
  // A separate network: a branch has the passwords that main's other roles have, and no service of the stack needs it.
  if ((await tryDocker(["network", "inspect", name])).code !== 0)
    await docker(["network", "create", ...labelled, name]);
  await docker(["volume", "create", ...labelled, branchesVolume(instance)]);
  const ports: number[] = [];
  for (let port = FIRST_PORT - 1; ports.length < BRANCH_PORTS.length; ports.push(port))
    port = await nextFree(port, ports);
  const id = await docker([
    ...["run", "--detach", "--name", name, ...labelled, "--network", name, "--user", "10999:10999"],
    ...["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true", "--init"],
    ...["--memory", "1g", "--memory-swap", "1g", "--cpus", "2", "--pids-limit", "1000", "--restart", "on-failure:5"],
    ...["--tmpfs", "/tmp:size=64m,mode=1777,nosuid,nodev,noexec", "--stop-timeout", "20"],
    ...["--log-opt", "max-size=10m", "--log-opt", "max-file=3"],
    ...["--health-cmd", "test -e /tmp/ready", "--health-interval", "5s", "--health-start-period", "60s"],
    // The data, the repository and the passphrase of the runner, without the right to write to them.
    ...["--volumes-from", `${runner.id}:ro`, "--volume", `${branchesVolume(instance)}:/var/lib/exai-branches`],
    ...["--env", "BACKUP_PASSPHRASE_FILE=/run/secrets/exai/backup-passphrase"],
    ...["--env", `BRANCH_PORTS=${BRANCH_PORTS.join(" ")}`],
    ...BRANCH_PORTS.flatMap((inside, index) => ["--publish", `127.0.0.1:${String(ports[index])}:${String(inside)}`]),
    ...["--entrypoint", "exai-postgres", runner.imageId, BRANCHES],
  ]);
  const container = id.trim();
  await ready(container);
  return { id: container, ports: new Map(BRANCH_PORTS.map((inside, index) => [inside, ports[index] ?? 0])) };
}

/** Waits until the branches that ran before run again. */
async function ready(container: string): Promise<void> {
  const waiting = ["sh", "-c", "until test -e /tmp/ready; do sleep 0.05; done"];
  const ran = await tryDocker(["exec", container, ...waiting], { timeoutMs: 120_000 });
  if (ran.code === 0) return;
  const log = await tryDocker(["logs", "--tail", "5", container]);
  throw new UserError(
    "failed",
    BRANCHES,
    `did not start: ${(log.stdout + log.stderr).trim()}`,
    fix`${command("logs branches")}`,
  );
}

/** Removes the container of the branches, and their data if it is requested. */
export async function removeBranches(instance: string, data: boolean): Promise<void> {
  const name = `${instance}-${BRANCHES}`;
  await tryDocker(["rm", "--force", name]);
  await tryDocker(["network", "rm", name]);
  if (data) await tryDocker(["volume", "rm", branchesVolume(instance)]);
}
