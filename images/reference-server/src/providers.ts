import type { Provider, ProviderSettings } from "./environment.ts";
import type { Metrics } from "./metrics.ts";

/** A provider could not answer; the message is for the user of the tool and never holds the key. */
export class ProviderError extends Error {
  override readonly name = "ProviderError";
}

/** What a provider answered, and what it counted. */
export interface ProviderAnswer {
  readonly content: string;
  readonly promptTokens?: number;
  readonly completionTokens?: number;
}

interface ChatCompletion {
  readonly usage?: { readonly prompt_tokens?: unknown; readonly completion_tokens?: unknown };
  readonly choices?: readonly { readonly message?: { readonly content?: unknown } }[];
}

async function complete(
  provider: Provider,
  settings: ProviderSettings,
  apiKey: string,
  prompt: string,
  signal: AbortSignal,
): Promise<ProviderAnswer> {
  const response = await fetch(`${settings.url}/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    body: JSON.stringify({ model: settings.model, messages: [{ role: "user", content: prompt }] }),
    signal,
  });
  if (!response.ok) {
    await response.body?.cancel();
    throw new ProviderError(`${provider} answered ${response.status} ${response.statusText}`.trimEnd());
  }
  const { choices, usage } = (await response.json()) as ChatCompletion;
  const content = choices?.[0]?.message?.content;
  if (typeof content !== "string") throw new ProviderError(`${provider} answered without a message`);
  const [promptTokens, completionTokens] = [usage?.prompt_tokens, usage?.completion_tokens].map(tokenCount);
  return {
    content,
    ...(promptTokens === undefined ? {} : { promptTokens }),
    ...(completionTokens === undefined ? {} : { completionTokens }),
  };
}

function tokenCount(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 2 ** 31 ? value : undefined;
}

/**
 * Asks a provider's OpenAI-compatible API and counts the request in the metrics.
 *
 * Throws a `ProviderError` when the key is missing (then nothing is sent or counted), when the provider cannot be
 * reached, answers an error, or takes longer than its time-out. An aborted `cancelled` ends the request.
 */
export async function askProvider(
  provider: Provider,
  settings: ProviderSettings,
  prompt: string,
  metrics: Metrics,
  cancelled: AbortSignal,
): Promise<ProviderAnswer> {
  const { apiKey } = settings;
  if (apiKey === undefined)
    throw new ProviderError(`${provider} cannot be asked: the setting ${provider.toUpperCase()}_API_KEY is missing`);
  const timeout = AbortSignal.timeout(settings.timeoutSeconds * 1000);
  const started = performance.now();
  const count = (outcome: "ok" | "error") => {
    metrics.provider(provider, outcome, (performance.now() - started) / 1000);
  };
  try {
    const answer = await complete(provider, settings, apiKey, prompt, AbortSignal.any([timeout, cancelled]));
    count("ok");
    return answer;
  } catch (error) {
    count("error");
    if (error instanceof ProviderError) throw error;
    if (timeout.aborted) throw new ProviderError(`${provider} did not answer within ${settings.timeoutSeconds} s`);
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new ProviderError(`${provider} cannot be reached at ${settings.url}: ${cause}`, { cause: error });
  }
}
