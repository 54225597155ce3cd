import { setTimeout as sleep } from "node:timers/promises";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import type { AjvJsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/ajv-provider.js";
import { z } from "zod";
import { PROVIDERS, type Environment } from "./environment.ts";
import type { Metrics } from "./metrics.ts";
import { askProvider, ProviderError } from "./providers.ts";

const text = (content: string) => ({ content: [{ type: "text" as const, text: content }] });
const toolError = (content: string) => ({ ...text(content), isError: true });

/**
 * One MCP server with the tools; each session has its own. The validator is shared by all: one a session, which is the
 * SDK's default, makes a third of a session's memory (60 kB against 40 kB of heap, 1000 sessions).
 */
export function createMcpServer(
  environment: Environment,
  version: string,
  metrics: Metrics,
  jsonSchemaValidator: AjvJsonSchemaValidator,
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
    async ({ text: said, delay_seconds: delay = 0 }, { signal }) => {
      await sleep(Math.min(delay, simpleToolSeconds) * 1000, undefined, { signal });
      if (delay > simpleToolSeconds)
        return toolError(`echo did not end within SIMPLE_TOOL_TIMEOUT_SECS (${simpleToolSeconds} s)`);
      return text(said);
    },
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
        supabase: environment.supabaseConfigured,
        timeouts: { ...environment.timeouts },
      };
      return { ...text(JSON.stringify(info)), structuredContent: info };
    },
  );

  server.registerTool(
    "chat",
    {
      title: "Chat",
      description: "Asks an LLM provider one question.",
      inputSchema: { provider: z.enum(PROVIDERS), prompt: z.string().min(1).max(100_000) },
    },
    async ({ provider, prompt }, { signal }) => {
      try {
        return text(await askProvider(provider, environment.providers[provider], prompt, metrics, signal));
      } catch (error) {
        if (error instanceof ProviderError) return toolError(error.message);
        throw error;
      }
    },
  );
  return server;
}
