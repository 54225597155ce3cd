import { setTimeout as sleep } from "node:timers/promises";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import type { AjvJsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/ajv-provider.js";
import { z } from "zod";
import { PROVIDERS, type Environment, type Provider } from "./environment.ts";
import { Refusal } from "./database/unavailable.ts";
import type { Records, SessionRows } from "./database/records.ts";
import type { Metrics } from "./metrics.ts";
import { askProvider, ProviderError, type ProviderAnswer } from "./providers.ts";

const text = (content: string) => ({ content: [{ type: "text" as const, text: content }] });
const toolError = (content: string) => ({ ...text(content), isError: true });

/** Where the calls of a user's session are recorded. */
export interface Recording {
  readonly records: Records;
  readonly rows: SessionRows;
}

/**
 * One MCP server with the tools; each session has its own. The validator is shared by all: one a session, which is the
 * SDK's default, makes a third of a session's memory (60 kB against 40 kB of heap, 1000 sessions).
 */
export function createMcpServer(
  environment: Environment,
  version: string,
  metrics: Metrics,
  jsonSchemaValidator: AjvJsonSchemaValidator,
  recording?: Recording,
): McpServer {
  const server = new McpServer({ name: "exai-reference-server", version }, { jsonSchemaValidator });
  const { simpleToolSeconds } = environment.timeouts;

  server.registerTool(
    "echo",
    {
      title: "Echo",
      description: "Answers the given text, after a delay when one is given.",
      inputSchema: {
        text: z.string(),
        delay_seconds: z.number().min(0).max(3600).optional().describe("How long the tool works, in seconds."),
      },
    },
    async ({ text: said, delay_seconds: delay = 0 }, { signal }) =>
      recorded(recording, "echo", async () => {
        await sleep(Math.min(delay, simpleToolSeconds) * 1000, undefined, { signal });
        if (delay > simpleToolSeconds)
          return toolError(`echo did not end within SIMPLE_TOOL_TIMEOUT_SECS (${simpleToolSeconds} s)`);
        return text(said);
      }),
  );

  server.registerTool(
    "server_info",
    {
      title: "Server information",
      description: "Release, slot and configuration of the server that answers.",
      outputSchema: {
        release: z.string(),
        slot: z.string().nullable(),
        version: z.string(),
        uptime_seconds: z.number(),
        providers: z.array(z.string()).describe("Providers that have a key."),
        supabase: z.boolean().describe("Whether Supabase is configured."),
        timeouts: z.record(z.string(), z.number()).describe("Time-outs of the tools, in seconds."),
      },
    },
    () => {
      const info = {
        release: environment.release,
        slot: environment.slot ?? null,
        version,
        uptime_seconds: process.uptime(),
        providers: PROVIDERS.filter((provider) => environment.providers[provider].apiKey !== undefined),
        supabase: environment.store !== undefined,
        timeouts: { ...environment.timeouts },
      };
      return { ...text(JSON.stringify(info)), structuredContent: info };
    },
  );

  server.registerTool(
    "chat",
    {
      title: "Chat",
      description: "Asks an LLM provider one question. Question and answer of a user with an account are kept.",
      inputSchema: {
        provider: z.enum(PROVIDERS),
        prompt: z.string().min(1).max(100_000),
        conversation_id: z.uuid().optional().describe("Conversation of the user that it continues."),
      },
    },
    async ({ provider, prompt, conversation_id: conversation }, { signal }) =>
      recorded(recording, "chat", async () => {
        const ask = () => askProvider(provider, environment.providers[provider], prompt, metrics, signal);
        try {
          if (recording === undefined) return text((await ask()).content);
          return await conversed(recording, provider, environment.providers[provider].model, prompt, conversation, ask);
        } catch (error) {
          if (error instanceof ProviderError || error instanceof Refusal) return toolError(error.message);
          throw error;
        }
      }),
  );
  return server;
}

type ToolResult = ReturnType<typeof text> & {
  readonly isError?: boolean;
  readonly structuredContent?: Record<string, unknown>;
};

/** Runs a tool and records the call, if the session has a user. */
async function recorded(
  recording: Recording | undefined,
  tool: string,
  run: () => Promise<ToolResult>,
): Promise<ToolResult> {
  if (recording === undefined) return run();
  const started = performance.now();
  let outcome: "ok" | "error" = "error";
  try {
    const result = await run();
    if (result.isError !== true) outcome = "ok";
    return result;
  } finally {
    // The answer does not wait for the record.
    void recording.records.toolCall(recording.rows, tool, outcome, performance.now() - started);
  }
}

/** One question of a user: the question is kept before the provider is asked, its answer and its usage afterwards. */
async function conversed(
  { records, rows }: Recording,
  provider: Provider,
  model: string,
  prompt: string,
  conversation: string | undefined,
  ask: () => Promise<ProviderAnswer>,
): Promise<ToolResult> {
  const id = await records.question(rows, prompt, conversation);
  if (id === undefined) return toolError("there is no such conversation");
  const started = performance.now();
  const call = (outcome: "ok" | "error") => ({ provider, model, outcome, milliseconds: performance.now() - started });
  try {
    const { content, ...tokens } = await ask();
    await records.answer(rows, id, { ...call("ok"), ...tokens }, content);
    return { ...text(content), structuredContent: { conversation_id: id } };
  } catch (error) {
    await records.answer(rows, id, call("error"), undefined);
    throw error;
  }
}
