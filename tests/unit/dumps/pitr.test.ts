import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hostedQuestion } from "../../../cli/format/restore-in-place.ts";
import type { ProgressEvent } from "../../../contract/events.ts";
import { checkPointInTime, restorePointInTime, type HostedProject } from "../../../operations/supabase/pitr.ts";
import { fixSaying } from "../../support/fix-saying.ts";
import { startSupabaseApi, type SupabaseApi } from "../../support/supabase-api/server.ts";
import type { ProjectState } from "../../support/supabase-api/world.ts";

const TOKEN = "sbp_restores";
const [earliest, latest] = [1_764_460_800, 1_764_547_200];

let api: SupabaseApi;
let state: ProjectState;
let project: HostedProject;
beforeEach(async () => {
  api = await startSupabaseApi({ token: TOKEN });
  state = api.world.addProject({ name: "exai", organization: "acme", region: "eu-central-1" });
  Object.assign(state, { pointInTimeRecovery: true, physicalBackups: { earliest, latest } });
  project = { stack: "prod", ref: state.ref, access: { endpoint: api.url, token: TOKEN } };
});
afterEach(async () => {
  await api.close();
});

async function restored(at: Date, signal?: AbortSignal) {
  const events: ProgressEvent[] = [];
  const work = restorePointInTime(project, at, { pollSeconds: 0.01, ...(signal === undefined ? {} : { signal }) });
  for (;;) {
    const { done, value } = await work.next();
    if (done === true) return { result: value, events };
    events.push(value);
  }
}
const writes = () => api.requests.filter(({ method }) => method !== "GET");

describe("a restore in place by Supabase", () => {
  it("sends the time in whole seconds, and waits until the project has been restored", async () => {
    const { result, events } = await restored(new Date(latest * 1000 - 1500));
    expect(state.restoredTo).toEqual([latest - 2]);
    expect(result).toMatchObject({ outcome: "restored-hosted", project: state.ref, at: new Date((latest - 2) * 1000) });
    const details = events.flatMap((event) => (event.type === "step" ? [event.detail ?? event.status] : []));
    expect(details).toEqual(["started", "ACTIVE_HEALTHY", "RESTORING", "ACTIVE_HEALTHY", "done"]);
  });

  it.each([
    ["point-in-time recovery is off", { pointInTimeRecovery: false }, latest, /switched off/],
    ["there is no physical backup", { physicalBackups: undefined }, latest, /has no physical backup yet/],
    [
      "the time is too early",
      {},
      earliest - 1,
      /can be restored to 2025-11-30T00:00:00.000Z until 2025-12-01T00:00:00.000Z/,
    ],
    ["the time is too late", {}, latest + 1, /is outside of it/],
  ])("is refused before anything is changed, with a dump instead, if %s", async (_, change, seconds, message) => {
    Object.assign(state, change);
    const refused = {
      code: "state-conflict",
      message: expect.stringMatching(message) as string,
      fix: fixSaying(/restore prod --to 2025-1\d-\d\dT[\d:]+Z restores the last dump/),
    };
    await expect(checkPointInTime(project, new Date(seconds * 1000))).rejects.toMatchObject(refused);
    await expect(restored(new Date(seconds * 1000))).rejects.toMatchObject(refused);
    expect(writes()).toEqual([]);
  });

  it("fails if the project does not come back, and names the page that shows why", async () => {
    state.states.push("RESTORE_FAILED");
    const failed = { code: "failed", message: "is RESTORE_FAILED", fix: fixSaying(new RegExp(state.ref)) };
    await expect(restored(new Date(latest * 1000))).rejects.toMatchObject(failed);
  });

  it("asks again while the API does not answer", async () => {
    api.failNext("GET", `/projects/${state.ref}`, 503);
    expect((await restored(new Date(latest * 1000))).result.outcome).toBe("restored-hosted");
  });

  it("says that Supabase goes on if the wait is interrupted", async () => {
    const aborted = AbortSignal.abort();
    await expect(restored(new Date(latest * 1000), aborted)).rejects.toThrow(
      `Supabase goes on with the restore of project ${state.ref}`,
    );
    expect(state.restoredTo).toEqual([latest]);
  });

  it("is asked for with the project and the time", () => {
    expect(hostedQuestion("abc", new Date(latest * 1000))).toContain(
      "project abc by its state at: 2025-12-01 00:00:00.000 UTC",
    );
  });
});
