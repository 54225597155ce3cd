import type { Provider, ProviderSettings } from "../environment.ts";
import { ProviderError } from "../providers.ts";
import { PROVIDER_LIMITS } from "./limits.ts";
import { multipart, type FormFile } from "./multipart.ts";
import { isPassing, retryAfterOf, Transient } from "./retry.ts";

/** What a provider's API answers to an upload: the same object at Moonshot and Zhipu, as OpenAI's API has it. */
interface ProviderFile {
  readonly id?: unknown;
  readonly bytes?: unknown;
  readonly status?: unknown;
  readonly status_details?: unknown;
}

/**
 * Deletes a provider's copy of a file; that there is none is what is wanted.
 *
 * @throws Transient
 * @throws ProviderError
 */
export async function deleteAtProvider(
  provider: Provider,
  { url, apiKey, timeoutSeconds }: ProviderSettings,
  id: string,
): Promise<void> {
  if (apiKey === undefined) throw new ProviderError(`the setting ${provider.toUpperCase()}_API_KEY is missing`);
  let response: Response;
  try {
    response = await fetch(`${url}/files/${encodeURIComponent(id)}`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${apiKey}` },
      signal: AbortSignal.timeout(timeoutSeconds * 1000),
    });
    await response.body?.cancel();
  } catch (error) {
    throw new Transient(`${provider} does not answer`, undefined, { cause: error });
  }
  if (response.ok || response.status === 404) return;
  const said = `${provider} answered ${String(response.status)} to the deletion of a file`;
  throw isPassing(response.status) ? new Transient(said, retryAfterOf(response.headers)) : new ProviderError(said);
}

/**
 * Gives a provider a copy of a file: `POST <url>/files`, a form with the file and its purpose.
 *
 * @returns the provider's identifier of the file
 * @throws Transient if another try may succeed
 * @throws ProviderError if none will
 */
export async function sendToProvider(
  provider: Provider,
  { url, apiKey, timeoutSeconds }: ProviderSettings,
  file: FormFile,
  cancelled: AbortSignal,
): Promise<string> {
  if (apiKey === undefined) throw new ProviderError(`the setting ${provider.toUpperCase()}_API_KEY is missing`);
  const { headers, body } = multipart({ purpose: PROVIDER_LIMITS[provider].purpose }, file);
  let response: Response;
  let answer: ProviderFile;
  try {
    response = await fetch(`${url}/files`, {
      method: "POST",
      headers: { ...headers, authorization: `Bearer ${apiKey}` },
      body,
      duplex: "half",
      signal: AbortSignal.any([cancelled, AbortSignal.timeout(timeoutSeconds * 1000)]),
    });
    const text = await response.text();
    answer = response.ok ? (JSON.parse(text) as ProviderFile) : {};
  } catch (error) {
    cancelled.throwIfAborted();
    throw new Transient(`${provider} does not answer`, undefined, { cause: error });
  }
  const said = `${provider} answered ${String(response.status)} ${response.statusText}`.trimEnd();
  if (isPassing(response.status)) throw new Transient(said, retryAfterOf(response.headers));
  if (!response.ok) throw new ProviderError(said);
  const { id, bytes, status, status_details: details } = answer;
  if (status === "error")
    throw new ProviderError(
      `${provider} cannot read the file: ${typeof details === "string" ? details : "it does not say why"}`,
    );
  if (typeof bytes === "number" && bytes !== file.size)
    throw new Transient(`${provider} has ${String(bytes)} bytes of ${String(file.size)}`);
  if (typeof id !== "string" || id === "" || id.length > 500)
    throw new ProviderError(`${provider} answered without an identifier of the file`);
  return id;
}
