import { join } from "node:path";
import { stringify } from "yaml";
import type { Operation } from "../../contract/events.ts";
import { lockWaitOf } from "../../operations/migrations/locks.ts";
import { dropAllScratch } from "../../operations/restore/scratch.ts";
import { FileLeaseStore } from "../../operations/rollout/local/file-lease.ts";
import { loadProgram } from "../../synth/lazy.ts";
import { declaredStack, type DeclaredStack } from "../declared.ts";
import type { RunsRollouts, Stack } from "../platform.ts";
import type { UpResult } from "../results.ts";
import { loadEngine } from "../pulumi/lazy.ts";
import { FolderRecords } from "../../operations/branches/records.ts";
import { BranchStore } from "../../operations/branches/store.ts";
import { absentFromDocker, VOLUME } from "./absent.ts";
import { FileAuditStore } from "./audit-file.ts";
import { DockerBranchHost } from "./branches/host.ts";
import { removeBranches } from "./branches/container.ts";
import { databaseOf, restorePlaceOf } from "./database.ts";
import { composeDown, removeFiles } from "./down.ts";
import { homeEntries } from "./home.ts";
import { engineTarget } from "./project.ts";
import { FileRotationStore } from "./jwt-keys.ts";
import { composeLogs } from "./inspect/logs.ts";
import { refuseLostSecrets } from "./lost-secrets.ts";
import { madeByEngine, refuseOtherMaker } from "./maker.ts";
import { composePreview } from "./inspect/preview.ts";
import { KNOWN_SECRETS, dockerProject, dockerStack, placeOf, type DockerStack } from "./project.ts";
import { openDockerRollout } from "./rollout/open.ts";
import { composeExec, composePsql } from "./inspect/session.ts";
import { restoreSiteOf } from "./restore.ts";
import { withStackLock } from "./stack-lock.ts";
import { composeStatus, drainedSlots } from "./inspect/status.ts";
import { composeUp, migrateLocal, provideImages } from "./up.ts";

/** A stack on this machine. Compose made it, or the Pulumi engine. */
export function composeStack(declared: DeclaredStack): Stack {
  const { name, environment, overrides } = declared;
  const stack = dockerStack(declared);
  const { settings, home } = stack;
  const place = placeOf(stack);
  return {
    ...{ name, environment, overrides, settings, audit: new FileAuditStore(home, settings.instance) },
    up: ({ engine, signal }) =>
      withStackLock(place, "up", async function* (): Operation<UpResult> {
        await refuseOtherMaker(stack, engine);
        return yield* engine ? upByEngine(stack, signal) : composeUp(stack, signal);
      }),
    preview: async function* ({ engine, signal }) {
      await refuseOtherMaker(stack, engine);
      if (!engine) return yield* composePreview(stack, signal);
      return yield* (await loadEngine()).enginePreview(engineTarget(stack), signal);
    },
    down: (options) =>
      withStackLock(place, "down", async function* () {
        if (!(await madeByEngine(settings.instance))) return yield* composeDown(stack, options);
        const { confirm, volumes } = options;
        const { own } = homeEntries(home, settings.instance);
        const result = yield* (await loadEngine()).engineDown(
          engineTarget(stack),
          { ...options, confirm: confirm && ((plan) => confirm({ ...plan, home, files: own })) },
          {
            confirmed: async () => {
              await removeBranches(settings.instance, volumes);
              await dropAllScratch(settings.instance);
            },
          },
        );
        if (volumes) yield* removeFiles(home, settings.instance, []);
        return result;
      }),
    status: () => composeStatus(stack),
    logs: (options) => composeLogs(stack, options),
    synth: async () => {
      // The secrets that the services mount stay in the stack's own folder.
      const { compose } = await dockerProject(stack, KNOWN_SECRETS);
      return [{ name: "compose.yaml", content: stringify(compose.document) }];
    },
    variables: async () => (await loadProgram()).serverVariables(settings),
    engineState: async () => (await (await loadEngine()).openEngine(engineTarget(stack))).engine.state(),
    rollout: runsRollouts(stack),
    database: (options) => Promise.resolve(databaseOf(stack, options)),
    branches: (options) =>
      Promise.resolve({
        store: new BranchStore(new FolderRecords(join(home, "branches"))),
        host: new DockerBranchHost(stack),
        leases: new FileLeaseStore(join(home, "branches", "leases")),
        main: databaseOf(stack, options).url,
        locks: lockWaitOf(settings),
        passwords: join(home, "secrets.json"),
      }),
    restores: () => restorePlaceOf(stack),
    restoreSite: (signal) => restoreSiteOf(stack, signal),
    exec: (slot, options) => composeExec(stack, slot, options),
    psql: (options) => composePsql(stack, options),
    rotation: (signal, kind) => ({
      store: new FileRotationStore(stack.state, stack.given),
      leases: new FileLeaseStore(join(home, "rotations")),
      // Each cutover of a rotation starts from the keys that are written by then.
      rollout: (work) => runsRollouts(dockerStack(declaredStack(name, overrides)))(kind, signal, work),
      signal,
    }),
  };
}

function runsRollouts(stack: DockerStack): RunsRollouts {
  return async function* (kind, signal, work) {
    const opening = await openDockerRollout(stack, signal, kind);
    return yield* work(await opening.context);
  };
}

/** The engine uses images of this machine, and the database gets its migrations after the resources. */
async function* upByEngine(stack: DockerStack, signal: AbortSignal): Operation<UpResult> {
  return yield* (await loadEngine()).engineUp(engineTarget(stack), {
    prepare: () => provideImages(stack, signal),
    absent: async (resources) => {
      const inState = resources.filter(({ type }) => type === VOLUME).map(({ id }) => id);
      await refuseLostSecrets(stack, inState);
      return absentFromDocker(resources, await drainedSlots(stack.home));
    },
    finish: () => migrateLocal(stack, signal),
    signal,
  });
}
