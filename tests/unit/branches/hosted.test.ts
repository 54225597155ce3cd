import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BranchApi } from "../../../operations/branches/hosted/api.ts";
import { HostedBranchHost } from "../../../operations/branches/hosted/host.ts";
import { createBranch, deleteBranch, listBranches, type Branches } from "../../../operations/branches/lifecycle.ts";
import type { CopyOptions } from "../../../operations/branches/model.ts";
import { FolderRecords } from "../../../operations/branches/records.ts";
import { BranchStore } from "../../../operations/branches/store.ts";
import { LOCK_WAIT } from "../../../operations/migrations/locks.ts";
import { FileLeaseStore } from "../../../operations/rollout/local/file-lease.ts";
import { fixSaying } from "../../support/fix-saying.ts";
import { startSupabaseApi, type SupabaseApi } from "../../support/supabase-api/server.ts";
import type { BranchState, ProjectState } from "../../support/supabase-api/world.ts";
import { runOperation } from "../../support/verbs.ts";

const TOKEN = `sbp_${"1".repeat(40)}`;
const NOWHERE = "postgres://postgres:x@127.0.0.1:9/postgres";

let api: SupabaseApi;
let project: ProjectState;
let folder: string;
beforeEach(async () => {
  api = await startSupabaseApi({ token: TOKEN });
  project = api.world.addProject({ name: "exai", organization: "acme", region: "eu-central-1" });
  folder = mkdtempSync(join(tmpdir(), "exai-hosted-"));
});
afterEach(async () => {
  await api.close();
  rmSync(folder, { recursive: true });
});

function branches(options: { readonly mainIsBranch?: boolean; readonly signal?: AbortSignal } = {}): Branches {
  const { mainIsBranch = false, signal = new AbortController().signal } = options;
  const access = { endpoint: api.url, token: TOKEN, signal };
  return {
    stack: "prod",
    store: new BranchStore(new FolderRecords(folder), "prod"),
    host: new HostedBranchHost({
      ...{ stack: "prod", api: new BranchApi(project.ref, access), main: NOWHERE, mainIsBranch, signal },
      verify: (url) => url,
    }),
    leases: new FileLeaseStore(join(folder, "leases")),
    main: NOWHERE,
    locks: LOCK_WAIT,
  };
}

const create = (options: CopyOptions = {}, from = branches()) => runOperation(createBranch(from, "one", options));
const remove = (name: string) => runOperation(deleteBranch(branches(), name));
const writes = () => api.requests.filter(({ method }) => method !== "GET").map(({ method, path }) => [method, path]);

function add(name: string, gitBranch?: string): BranchState {
  const branch = api.world.addBranch(project, name, gitBranch, undefined, { isDefault: false, persistent: true });
  branch.status = "MIGRATIONS_PASSED";
  return branch;
}

describe("a branch at Supabase", () => {
  it("is refused without a plan that has branches, with a local one instead", async () => {
    project.branching = false;
    await expect(create()).rejects.toMatchObject({
      code: "state-conflict",
      message: expect.stringContaining("not included in the organization's plan") as string,
      fix: fixSaying(/billing.*branch create/),
    });
    expect(await listBranches(branches())).toEqual([]);
  });

  it.each<[string, CopyOptions, { mainIsBranch: boolean }, RegExp]>([
    [
      "of an earlier moment",
      { target: { kind: "time", value: "2026-11-29T00:00:00.000Z" } },
      { mainIsBranch: false },
      /shows the present/,
    ],
    ["with data, without point-in-time recovery", { withData: true }, { mainIsBranch: false }, /switched off/],
    ["with the data of another stack", { withData: true }, { mainIsBranch: true }, /would copy the rows of project/],
  ])("is refused %s, before anything is made", async (_, options, kind, message) => {
    await expect(create(options, branches(kind))).rejects.toThrow(message);
    expect(writes()).toEqual([]);
  });

  it("is made once the rate limit allows it", async () => {
    api.failNext("POST", "/branches", 429, { "retry-after": "0" });
    const aborted = new AbortController();
    const making = create({}, branches({ signal: aborted.signal }));
    // Its database is none of this test's: the wait for it is interrupted, and what was made is removed.
    setTimeout(() => {
      aborted.abort();
    }, 700);
    await expect(making).rejects.toThrow(/abort/i);
    // The first one makes the project itself the default branch, and is tried twice.
    expect(writes().map(([method]) => method)).toEqual(["POST", "POST", "POST", "DELETE"]);
    expect([...api.world.branches.values()].map(({ isDefault }) => isDefault)).toEqual([true]);
  });

  it("is not waited for if the rate limit asks for too long", async () => {
    api.failNext("GET", "/branches", 429, { "retry-after": "900" });
    await expect(listBranches(branches())).rejects.toMatchObject({
      code: "unavailable",
      fix: fixSaying(/wait a minute/),
    });
  });

  it("is listed and deleted also if another machine made it; persistent ones are made temporary first", async () => {
    const { id } = add("elsewhere");
    expect(await listBranches(branches())).toMatchObject([
      { name: "elsewhere", state: "MIGRATIONS_PASSED", server: "running", persistent: true, withData: false },
    ]);
    await remove("elsewhere");
    expect(writes()).toEqual([
      ["PATCH", `/v1/branches/${id}`],
      ["DELETE", `/v1/branches/${id}`],
    ]);
  });

  it("of a Git branch, such as staging's, is neither listed nor deleted", async () => {
    add("staging", "staging");
    expect(await listBranches(branches())).toEqual([]);
    await expect(remove("staging")).rejects.toMatchObject({ code: "not-found", fix: fixSaying(/branch list prod/) });
    expect(writes()).toEqual([]);
  });

  it.each(["prod", "main", "new-", "New"])("cannot have the name %s", async (name) => {
    await expect(runOperation(createBranch(branches(), name))).rejects.toMatchObject({
      code: "invalid-argument",
      fix: fixSaying(/the stack follows the name/),
    });
  });

  it("that exists is not made again", async () => {
    add("one");
    await expect(create()).rejects.toMatchObject({ code: "state-conflict", fix: fixSaying(/branch reset one prod/) });
    expect(writes()).toEqual([]);
  });

  it("is refused with the permissions that a scoped token lacks", async () => {
    api.failNext("GET", "/branches", 403, {}, { message: "Forbidden", missing_permissions: ["environment_read"] });
    await expect(listBranches(branches())).rejects.toThrow("answered 403: Forbidden; the token lacks environment_read");
  });

  it("that does not run has no URL", async () => {
    add("one").status = "CREATING_PROJECT";
    await expect(branches().host.url("one")).rejects.toMatchObject({
      code: "state-conflict",
      message: "does not run: it is COMING_UP",
    });
    await expect(branches().host.url("two")).rejects.toMatchObject({ code: "state-conflict" });
  });

  it("has a URL of the pooler's port for sessions", async () => {
    const { project: own } = add("one");
    expect(await branches().host.url("one")).toBe(
      `postgres://postgres.${own.ref}:${own.password}@aws-0-eu-central-1.pooler.supabase.com:5432/postgres`,
    );
  });
});
