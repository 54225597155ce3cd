import { expect, test } from "vitest";
import type { EngineStack } from "../../support/kubernetes/engine-stack.ts";
import { storedBackups } from "./database.ts";

type Project = () => string | undefined;

/** What the stack is recognised by: its data, and the key that opens the backups. */
async function identity({ api, namespace }: EngineStack, project: Project) {
  const secret = await api.get("v1", "Secret", namespace, "backup");
  const volume = await api.get("v1", "PersistentVolumeClaim", namespace, "backup-repository");
  return {
    key: (secret?.data as Record<string, string> | undefined)?.["repository-password"],
    volume: volume?.metadata.uid,
    project: project(),
  };
}

/** Takes the stack down and up again. Afterwards an earlier row is read, and the backup is opened by the stack's own key. */
async function keeps(
  stack: EngineStack,
  project: Project,
  road: { readonly name: string; down(): Promise<void>; up(): Promise<void> },
): Promise<void> {
  const { database, namespace, api } = stack;
  const row = `${road.name} ${namespace}`;
  await database.sql("create schema kept create table stacks (name text)");
  await database.sql(`insert into kept.stacks values ('${row}')`);
  const before = await identity(stack, project);
  const [backup] = await storedBackups(stack);
  expect([...Object.values(before), backup]).not.toContain(undefined);
  await road.down();
  expect(await api.get("apps/v1", "Deployment", namespace, "server-blue")).toBeUndefined();
  expect(await identity(stack, project)).toEqual({ ...before, key: undefined });
  await road.up();
  expect(await identity(stack, project)).toEqual(before);
  expect(await storedBackups(stack)).toEqual([backup]);
  const found = await database.sql(`delete from kept.stacks where name = '${row}' returning name`);
  expect(found).toContain(row);
  await database.sql("drop schema kept cascade");
}

/**
 * What `down` keeps of a stack whose backup exists: the data, and the keys that open it.
 *
 * @param project reference of the stack's own Supabase project
 * @param kept names of resources that stay
 */
export function keepingTests(made: () => EngineStack, project: Project, kept: readonly string[]): void {
  test("down keeps what holds data and the keys that open it, and the next up uses both", async () => {
    const { checkout, stack } = made();
    await keeps(made(), project, {
      name: "exai",
      down: async () => {
        const data = (await checkout.events(["down", stack, "--yes"])).at(-1)?.data;
        expect(data).toMatchObject({ data: "kept" });
        expect(data?.kept).toEqual(expect.arrayContaining([...kept]));
        const destroyed = await checkout.pulumi(["destroy", "--yes", "--stack", stack]);
        expect([destroyed.code === 0, destroyed.stdout]).toEqual([false, expect.stringContaining("protected")]);
      },
      up: async () => {
        await checkout.events(["up", stack, "--yes"]);
      },
    });
  });
}

/** The same by the engine's own commands, without `./exai`. */
export function engineKeepingTest(made: () => EngineStack, project: Project): void {
  test("the engine's own destroy and up keep and use the same", async () => {
    const { checkout, stack } = made();
    const pulumi = async (...words: readonly string[]) => {
      const ran = await checkout.pulumi([...words, "--yes", "--stack", stack]);
      expect(ran.code, `${ran.stdout}\n${ran.stderr}`).toBe(0);
    };
    await keeps(made(), project, {
      name: "engine",
      down: () => pulumi("destroy", "--exclude-protected"),
      up: () => pulumi("up"),
    });
  });
}
