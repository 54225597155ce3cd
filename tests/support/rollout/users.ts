import { failures } from "../load/http.ts";
import { clock } from "../load/clock.ts";
import { Load, type LoadReport } from "../load/load.ts";
import type { RolloutStack } from "./stack.ts";

/** What users saw of a case. */
export interface Seen {
  readonly requests: number;
  readonly failed: number;
  /** Seconds from the first failed request to the last one, 0 without any. */
  readonly failedSeconds: number;
  readonly webSocketsCut: number;
  readonly webSocketsRestarted: number;
  readonly mcpFailed: number;
  readonly mcpInitialisedAgain: number;
  readonly mcpWrongSlot: number;
}

/** Users of a stack while something breaks: 25 requests/s, 10 WebSockets and 5 MCP sessions. */
export class Users {
  readonly #load: Load;
  readonly #title: string;
  readonly #began = clock();

  private constructor(load: Load, title: string) {
    this.#load = load;
    this.#title = title;
  }

  static async come({ routerUrl, webSocketUrl }: RolloutStack, title: string): Promise<Users> {
    const load = new Load({ routerUrl, webSocketUrl, requestsPerSecond: 25, webSockets: 10, mcpSessions: 5 });
    await load.start();
    return new Users(load, title);
  }

  /** Ends it and prints a line of what was seen. */
  async leave(): Promise<Seen> {
    const seen = seenIn(await this.#load.stop());
    const seconds = ((clock() - this.#began) / 1000).toFixed(0);
    process.stdout.write(`chaos: ${this.#title}, ${seconds} s: ${JSON.stringify(seen)}\n`);
    return seen;
  }
}

function seenIn({ requests, webSockets, mcp }: LoadReport): Seen {
  const failed = failures(requests);
  const times = failed.map((record) => record.startedAt);
  return {
    requests: requests.length,
    failed: failed.length,
    failedSeconds: failed.length === 0 ? 0 : Math.round((Math.max(...times) - Math.min(...times)) / 100) / 10,
    webSocketsCut: webSockets.dropped.length,
    webSocketsRestarted: webSockets.restarted,
    mcpFailed: mcp.failed.length,
    mcpInitialisedAgain: mcp.initialisedAgain,
    mcpWrongSlot: mcp.wrongSlot,
  };
}
