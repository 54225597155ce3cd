import { z } from "zod";
import { UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import { ApiError, callApi, readApi, readText, type ManagementAccess } from "../../supabase/api.ts";

/** A branch as Supabase's Management API has it. */
const BRANCH = z.object({
  id: z.string(),
  name: z.string(),
  project_ref: z.string(),
  is_default: z.boolean(),
  git_branch: z.string().nullish(),
  persistent: z.boolean(),
  with_data: z.boolean().default(false),
  status: z.enum([
    ...(["CREATING_PROJECT", "RUNNING_MIGRATIONS", "MIGRATIONS_PASSED", "MIGRATIONS_FAILED"] as const),
    ...(["FUNCTIONS_DEPLOYED", "FUNCTIONS_FAILED"] as const),
  ]),
  preview_project_status: z.string().nullish(),
  created_at: z.string(),
});

export type HostedBranch = z.infer<typeof BRANCH>;

const DATABASE = z.object({ status: z.string(), db_pass: z.string().optional() });

const POOLER_LIST = z.array(
  z.object({
    database_type: z.string(),
    pool_mode: z.string(),
    db_user: z.string(),
    db_host: z.string(),
    db_port: z.number(),
    db_name: z.string(),
  }),
);

/** What the API lacks on a project without branches: it says so instead of answering with none. */
const OFF = /not enabled/i;

/** The branches of projects, by the Management API. */
export class BranchApi {
  readonly #access: ManagementAccess;
  /** Reference of the project that branches are made of. */
  readonly parent: string;

  constructor(parent: string, access: ManagementAccess) {
    this.parent = parent;
    this.#access = access;
  }

  /** The branches, without the project itself and without those of Git branches, which a stack or an integration of Git makes and removes. */
  async list(): Promise<readonly HostedBranch[]> {
    return (await this.#all()).filter((branch) => !branch.is_default && (branch.git_branch ?? "") === "");
  }

  async #all(): Promise<readonly HostedBranch[]> {
    try {
      return z.array(BRANCH).parse(await readApi(`/projects/${this.parent}/branches`, this.#access));
    } catch (error) {
      if (error instanceof ApiError && OFF.test(error.message)) return [];
      throw error;
    }
  }

  async find(name: string): Promise<HostedBranch | undefined> {
    return (await this.list()).find((branch) => branch.name === name);
  }

  /** @throws UserError `state-conflict` if the organization's plan has no branches, or no more of them */
  async create(name: string, withData: boolean, persistent: boolean): Promise<HostedBranch> {
    const post = (body: Readonly<Record<string, unknown>>) =>
      callApi("POST", `/projects/${this.parent}/branches`, this.#access, body);
    try {
      // Branching is off until the project itself is its default branch, by the name that Supabase's provider gives it.
      if ((await this.#all()).length === 0) await post({ branch_name: "Production", is_default: true });
      return BRANCH.parse(await post({ branch_name: name, is_default: false, with_data: withData, persistent }));
    } catch (error) {
      if (!(error instanceof ApiError) || (error.status !== 402 && !OFF.test(error.message))) throw error;
      throw new UserError(
        "state-conflict",
        `project ${this.parent}`,
        `cannot have this branch on its organization's plan: ${error.message}`,
        fix`see https://supabase.com/dashboard/org/_/billing, or make the branch on this machine: ${command("branch create")}`,
        { cause: error },
      );
    }
  }

  /** One that stays is made temporary first, which the API requires. */
  async remove({ id, persistent }: HostedBranch): Promise<void> {
    if (persistent) await callApi("PATCH", `/branches/${id}`, this.#access, { persistent: false });
    await callApi("DELETE", `/branches/${id}`, this.#access).catch((error: unknown) => {
      if (!(error instanceof ApiError && error.status === 404)) throw error;
    });
  }

  /** The state of a branch's project, and the password of its owner. */
  async database({ id }: HostedBranch): Promise<z.infer<typeof DATABASE>> {
    return DATABASE.parse(await readApi(`/branches/${id}`, this.#access));
  }

  /** Where sessions reach the database of a branch. A direct connection takes IPv6. */
  async pooler({ project_ref: ref }: HostedBranch): Promise<URL> {
    const all = POOLER_LIST.parse(await readApi(`/projects/${ref}/config/database/pooler`, this.#access));
    const primary = all.find((each) => each.database_type === "PRIMARY");
    if (primary === undefined)
      throw new UserError("unavailable", `project ${ref}`, "has no pooler yet", "run the command again in a minute");
    const { db_host: host, db_name: database, db_user: user, db_port: port, pool_mode: mode } = primary;
    const url = new URL(`postgres://${host}/${database}`);
    url.username = user;
    // In transaction mode a session keeps neither its settings nor its locks; the pooler's other port is for sessions.
    url.port = String(mode === "transaction" ? 5432 : port);
    return url;
  }

  /** Whether data can be copied into a branch. */
  async pointInTimeRecovery(): Promise<boolean> {
    const backups = await readApi(`/projects/${this.parent}/database/backups`, this.#access);
    return z.object({ pitr_enabled: z.boolean() }).parse(backups).pitr_enabled;
  }

  /** The last line that the setup of a branch has logged; undefined if there is none. */
  async lastLogLine({ id, project_ref: ref }: HostedBranch): Promise<string | undefined> {
    const runs = z
      .array(z.object({ id: z.string(), branch_id: z.string() }))
      .parse(await readApi(`/projects/${ref}/actions`, this.#access));
    const run = runs.find((each) => each.branch_id === id) ?? runs[0];
    if (run === undefined) return undefined;
    return (await readText(`/projects/${ref}/actions/${run.id}/logs`, this.#access)).trim().split("\n").at(-1);
  }
}
