import { join } from "node:path";
import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import type { NoteEvent, Operation } from "../../contract/events.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { FileLeaseStore } from "../../operations/rollout/local/file-lease.ts";
import type { RotationContext } from "../../operations/secrets/rotate.ts";
import { setFix } from "../../stacks/settings/fixes.ts";
import { loadProgram } from "../../synth/lazy.ts";
import { declaredStack, type DeclaredStack } from "../declared.ts";
import type { RolloutKind, RunsRollouts, Stack } from "../platform.ts";
import { psqlSession } from "../psql.ts";
import { lockWaitOf } from "../../operations/migrations/locks.ts";
import type { Engine } from "../pulumi/engine.ts";
import { SettingsRotationStore } from "../pulumi/jwt-keys.ts";
import { loadEngine } from "../pulumi/lazy.ts";
import { verifiedDatabase } from "./database-url.ts";
import { clusterTarget } from "./engine-target.ts";
import { kubectlExec } from "./exec.ts";
import { loadKubernetes } from "./lazy.ts";

/** A stack on a cluster. The Pulumi engine makes it. */
export function kubernetesStack(declared: DeclaredStack): Stack {
  const { name, environment, overrides } = declared;
  return {
    ...{ name, environment, overrides },
    audit: {
      append: async (lines) => (await loadKubernetes()).clusterAudit(declared).append(lines),
      lines: async () => (await loadKubernetes()).clusterAudit(declared).lines(),
    },
    get settings() {
      return declared.settings;
    },
    up: async function* ({ confirm, signal }) {
      yield* forThisRun(declared);
      return yield* (await loadEngine()).engineUp(clusterTarget(declared), {
        confirm,
        prepare: reach,
        absent: async (resources, settings) => (await loadKubernetes()).absentFromCluster(resources, settings),
        finish: (settings, changed) => awaitSlots(settings, changed, signal),
        signal,
      });
    },
    preview: async function* ({ signal }) {
      return yield* (await loadEngine()).enginePreview(clusterTarget(declared), signal, reach);
    },
    down: async function* (options) {
      return yield* (await loadEngine()).engineDown(clusterTarget(declared), options, {
        prepare: reach,
        finish: async function* (settings) {
          yield* (await loadKubernetes()).awaitGone(settings, options.signal);
        },
      });
    },
    status: async () => (await loadKubernetes()).clusterStatus(declared),
    logs: async function* (options) {
      yield* (await loadKubernetes()).clusterLogs(declared, options);
    },
    synth: async ({ withSecrets }) => {
      const { capture, manifests, manifestYaml } = await loadProgram();
      const graph = await capture(name, declared.source);
      return [{ name: `${name}.yaml`, content: manifestYaml(manifests(graph, { withSecrets })) }];
    },
    variables: async () => (await loadProgram()).serverVariables(declared.settings),
    engineState: async () => (await (await loadEngine()).openEngine(clusterTarget(declared))).engine.state(),
    rollout: runsRollouts(declared),
    database: async ({ url, signal }) => ({
      url: await verifiedDatabase(declared, url),
      guard: (await loadKubernetes()).clusterGuard(declared, signal),
      locks: lockWaitOf(declared.settings),
      // The engine's own lock is for its resources; contract migrations take the rollout's lease.
      exclusively: (_verb, work) => work(),
    }),
    branches: async ({ signal }) => (await loadKubernetes()).hostedBranches(declared, signal),
    restores: () => refuseArchive(declared),
    restoreSite: () => refuseArchive(declared),
    hosted: {
      dumps: async () => (await loadKubernetes()).dumpPlace(declared),
      project: async () => (await loadKubernetes()).hostedProject(declared),
    },
    exec: (slot, options) => Promise.resolve(kubectlExec(declared.settings, slot, options)),
    psql: async ({ args, branch, signal }) => {
      if (branch === undefined) return psqlSession(await verifiedDatabase(declared), args);
      const { host } = await (await loadKubernetes()).hostedBranches(declared, signal);
      return psqlSession(await host.url(branch), args);
    },
    rotation: (signal, kind) => rotationOf(declared, signal, kind),
  };
}

/** The team shares the stack, and other machines know its file only. The image comes from each deployment. */
function* forThisRun({ name, environment, overrides }: DeclaredStack): Generator<NoteEvent, void, void> {
  const [first] = Object.keys(overrides).filter((key) => key !== "image");
  if (first === undefined) return;
  yield {
    type: "note",
    level: "warning",
    message: `--set ${first} applies to this run only; the next up, and every other command, uses Pulumi.${name}.yaml`,
    fix: setFix({ stack: name, environment, key: first, origin: "file" }, overrides[first] ?? ""),
  };
}

/** @throws UserError always */
function refuseArchive({ name }: DeclaredStack): never {
  throw new UserError(
    "invalid-argument",
    `stack ${name}`,
    "has a hosted database, whose WAL archive is Supabase's",
    fix`${command(`restore ${name}`)} restores a dump, and with --to TIME --in-place Supabase restores the project`,
  );
}

function runsRollouts(declared: DeclaredStack): RunsRollouts {
  return async function* (_kind, signal, work) {
    const { openKubernetesRollout } = await loadKubernetes();
    const opened = await openKubernetesRollout(declared, signal);
    try {
      return yield* work(opened.context);
    } finally {
      await opened.close();
    }
  };
}

async function* reach(settings: DeclaredStack["settings"]): Operation<void> {
  yield* (await loadKubernetes()).reachCluster(settings);
}

/** Waits for the slots, which the engine does not do, and reports what is wrong with one. */
async function* awaitSlots(
  settings: DeclaredStack["settings"],
  changed: boolean,
  signal: AbortSignal,
): Operation<undefined> {
  if (changed) yield* (await loadKubernetes()).awaitSlots(settings, signal);
  return undefined;
}

function rotationOf(declared: DeclaredStack, signal: AbortSignal, kind: Pick<RolloutKind, "deploys">): RotationContext {
  const { name, overrides } = declared;
  const open = async (confined = false) =>
    (await (await loadEngine()).openEngine(clusterTarget(declared), { confined })).engine;
  // Opened once: otherwise each write of the record would take seconds.
  let opened: Promise<Engine> | undefined;
  const engine = () => (opened ??= open());
  return {
    store: new SettingsRotationStore(name, {
      read: async () => (await engine()).config(),
      set: async (values, options) => (await engine()).configure(values, options),
    }),
    // The rotation has written the stack file, so each of its cutovers reads it again.
    rollout: (work) => runsRollouts(declaredStack(name, overrides))(kind, signal, work),
    // The settings are a file on this machine, so the lease is too; the cutovers take the cluster's.
    leases: new FileLeaseStore(join(PROJECT_ROOT, ".exai", name, "rotations")),
    share: async (aborted) => {
      const events = (await open(true)).up({ signal: aborted, target: ["**EdgeFunctionSecrets::*"] });
      while ((await events.next()).done !== true); // the rotation reports its own progress
    },
    signal,
  };
}
