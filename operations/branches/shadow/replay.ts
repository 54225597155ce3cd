import pg from "pg";
import { UserError } from "../../../contract/errors.ts";
import type { WorkloadTransaction } from "./workload.ts";

/** What a statement gave on one side. */
export interface Outcome {
  /** Names and types of the columns. */
  readonly columns: readonly string[];
  /** As text; null is null. */
  readonly rows: readonly (readonly (string | null)[])[];
  /** Rows that it wrote or read. */
  readonly count: number;
  /** SQLSTATE and message; absent if it succeeded. */
  readonly error?: { readonly code: string; readonly message: string };
  readonly milliseconds: number;
}

/** A session on one server, in which transactions are replayed and rolled back. */
export class ReplaySession {
  readonly #client: pg.Client;

  private constructor(client: pg.Client) {
    this.#client = client;
  }

  static async open(options: pg.ClientConfig): Promise<ReplaySession> {
    const client = new pg.Client({ ...options, application_name: "exai shadow" });
    client.on("error", () => undefined);
    await client.connect();
    return new ReplaySession(client);
  }

  /** Runs a transaction up to its first error, and rolls it back. */
  async run({ role, claims, statements }: WorkloadTransaction): Promise<readonly Outcome[]> {
    const claim = claims === undefined ? "" : JSON.stringify(claims);
    // The time-outs keep what it waits for, and what waits for it, short.
    await this.#as(
      role,
      `begin; set local lock_timeout = '1s'; set local statement_timeout = '30s';
       select set_config('request.jwt.claims', ${pg.escapeLiteral(claim)}, true); set local role ${pg.escapeIdentifier(role)}`,
    );
    const outcomes: Outcome[] = [];
    let current = role;
    try {
      for (const { sql, values, role: wanted = role } of statements) {
        if (wanted !== current) await this.#as(wanted, `set local role ${pg.escapeIdentifier(wanted)}`);
        current = wanted;
        const outcome = await this.#statement(sql, values);
        outcomes.push(outcome);
        if (outcome.error !== undefined) break;
      }
    } finally {
      // Locks of the session would outlive the rollback.
      await this.#client.query("rollback; select pg_advisory_unlock_all()");
    }
    return outcomes;
  }

  async close(): Promise<void> {
    await this.#client.end().catch(() => undefined);
  }

  /** Changes to a role. @throws UserError if the owner of the database cannot, as on a hosted one that has not granted it the role */
  async #as(role: string, sql: string): Promise<void> {
    try {
      await this.#client.query(sql);
    } catch (cause) {
      if (!(cause instanceof pg.DatabaseError) || !["42501", "22023"].includes(cause.code ?? "")) throw cause;
      const grant = `grant ${pg.escapeIdentifier(role)} to current_user, by psql on main, and a new branch`;
      throw new UserError("permission-denied", `role ${role}`, `cannot be acted as: ${cause.message}`, grant, {
        cause,
      });
    }
  }

  async #statement(text: string, values: readonly unknown[]): Promise<Outcome> {
    const started = performance.now();
    const elapsed = () => performance.now() - started;
    try {
      const result = await this.#client.query<(string | null)[]>({
        ...{ text, values: [...values], rowMode: "array", queryMode: "extended" },
        types: { getTypeParser: () => (value: string) => value },
      });
      const columns = result.fields.map(({ name, dataTypeID }) => `${name} ${String(dataTypeID)}`);
      return { columns, rows: result.rows, count: result.rowCount ?? 0, milliseconds: elapsed() };
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) throw error;
      const { code = "", message } = error;
      return { columns: [], rows: [], count: 0, error: { code, message }, milliseconds: elapsed() };
    }
  }
}
