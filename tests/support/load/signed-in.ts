import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport, StreamableHTTPError } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import { SERVER_PATHS } from "../../../contract/server.ts";

/** Questions in a session: sessions stay on the slot that they began on. */
const QUESTIONS = 5;

/** One who signs in. */
export interface Account {
  readonly id: string;
  readonly token: string;
}

/**
 * Users with an account who ask one question after the other, until they are stopped: a few in each MCP session. As the protocol requires, they
 * begin a new session where the server does not know theirs.
 */
export class SignedInUsers {
  /** Questions that were answered, by account. */
  readonly answered = new Map<string, string[]>();
  /** What was neither an answer nor the end of a session. */
  readonly failures: string[] = [];
  sessions = 0;
  readonly #routerUrl: string;
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(routerUrl: string, accounts: readonly Account[]) {
    this.#routerUrl = routerUrl;
    this.#running = Promise.all(accounts.map((account) => this.#use(account)));
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #use({ id, token }: Account): Promise<void> {
    const answered: string[] = [];
    this.answered.set(id, answered);
    let client: Client | undefined;
    for (let number = 1; !this.#stop.signal.aborted;) {
      const prompt = `question ${String(number)} of ${id}`;
      try {
        client ??= await this.#begin(token);
        const result = (await client.callTool({
          name: "chat",
          arguments: { provider: "kimi", prompt },
        })) as CallToolResult;
        if (result.isError === true) this.failures.push(JSON.stringify(result.content));
        else answered.push(prompt);
        if (number % QUESTIONS === 0) {
          await client.close();
          client = undefined;
        }
        number += 1;
      } catch (error) {
        if (!(error instanceof StreamableHTTPError && error.code === 404)) this.failures.push(String(error));
        await client?.close().catch(() => undefined);
        client = undefined;
      }
      await sleep(100);
    }
    await client?.close();
  }

  async #begin(token: string): Promise<Client> {
    const client = new Client({ name: "signed in", version: "1" });
    const headers = { authorization: `Bearer ${token}` };
    const url = new URL(SERVER_PATHS.mcp, this.#routerUrl);
    await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }));
    this.sessions += 1;
    return client;
  }
}
