import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../contract/errors.ts";

/** Where Supabase's Management API is, and who calls it. */
export interface ManagementAccess {
  /** Without a slash at the end. */
  readonly endpoint: string;
  readonly token: string;
  /** Ends a wait for the API's rate limit. */
  readonly signal?: AbortSignal;
}

/** The API has answered a call with an error. */
export class ApiError extends UserError {
  /** HTTP status. */
  readonly status: number;

  constructor(status: number, ...given: ConstructorParameters<typeof UserError>) {
    super(...given);
    this.status = status;
  }
}

export const PUBLIC_ENDPOINT = "https://api.supabase.com";

/** Seconds that a call may take. */
const SECONDS = 20;

/** How often a call is made that the rate limit refuses, and the longest wait between two tries, in seconds. */
const TRIES = 3;
const LONGEST_WAIT = 120;

/** Reads from the Management API, as {@link callApi}. @throws UserError also for an answer that is not JSON */
export async function readApi(path: string, access: ManagementAccess): Promise<unknown> {
  const body = await callApi("GET", path, access);
  if (body !== undefined) return body;
  throw new UserError("unavailable", `GET /v1${path}`, "answered no JSON", fixOf(200));
}

/** Reads a text, such as a log, from the Management API, as {@link callApi}. */
export async function readText(path: string, access: ManagementAccess): Promise<string> {
  return (await call("GET", path, access)).text;
}

/**
 * Calls the Management API. A call that the rate limit refuses is made again after the time that the API names.
 *
 * @param path after `/v1`
 * @returns undefined for an answer that is not JSON
 * @throws ApiError `unavailable` that names the call, what the API said, and what to do; never the token
 */
export async function callApi(...given: Parameters<typeof call>): Promise<unknown> {
  return parsed((await call(...given)).text);
}

interface Answer {
  readonly text: string;
  readonly error?: ApiError;
  /** Seconds after which the call may be made again. */
  readonly retryAfter?: number | undefined;
}

async function call(
  method: "GET" | "POST" | "PATCH" | "DELETE",
  path: string,
  access: ManagementAccess,
  content?: Readonly<Record<string, unknown>>,
): Promise<Answer> {
  for (let tries = 1; ; tries += 1) {
    const answer = await callOnce(method, path, access, content);
    if (answer.error === undefined) return answer;
    const { error, retryAfter } = answer;
    if (error.status !== 429 || retryAfter === undefined || retryAfter > LONGEST_WAIT || tries === TRIES) throw error;
    await sleep(retryAfter * 1000, undefined, { signal: access.signal });
  }
}

async function callOnce(
  method: string,
  path: string,
  { endpoint, token }: ManagementAccess,
  content: Readonly<Record<string, unknown>> | undefined,
): Promise<Answer> {
  const call = `${method} /v1${path}`;
  let response: Response;
  let text: string;
  try {
    response = await fetch(`${endpoint}/v1${path}`, {
      method,
      headers: {
        ...{ authorization: `Bearer ${token}`, accept: "application/json" },
        ...(content === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(content === undefined ? {} : { body: JSON.stringify(content) }),
      // The token is for this server alone.
      redirect: "error",
      signal: AbortSignal.timeout(SECONDS * 1000),
    });
    text = await response.text();
  } catch (cause) {
    const timedOut = cause instanceof DOMException && cause.name === "TimeoutError";
    const problem = timedOut ? `gave no answer within ${String(SECONDS)} s` : `cannot be reached: ${reasonOf(cause)}`;
    throw new UserError("unavailable", call, problem, `check the network and ${endpoint}, then run the command again`, {
      cause,
    });
  }
  if (response.ok) return { text };
  const said = messageOf(parsed(text)) ?? response.statusText;
  const problem = `answered ${String(response.status)}${said === "" ? "" : `: ${said}`}`;
  const error = new ApiError(response.status, "unavailable", call, problem, fixOf(response.status));
  return { text, error, retryAfter: secondsOf(response.headers) };
}

/** When a call may be made again, by the standard header or Supabase's own. */
function secondsOf(headers: Headers): number | undefined {
  const seconds = Number(headers.get("retry-after") ?? headers.get("x-ratelimit-reset") ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}

function fixOf(status: number): string {
  switch (status) {
    case 401:
      return "make an access token at https://supabase.com/dashboard/account/tokens and set SUPABASE_ACCESS_TOKEN";
    case 403:
      return "use an access token with the permissions for this call, of a member who has them";
    case 404:
      return "compare exai:supabaseProjectRef with the project's page in Supabase's dashboard";
    case 429:
      return "wait a minute: the API takes 120 calls a minute; then run the command again";
    default:
      return "see https://status.supabase.com, then run the command again";
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The API's message, on one line and not too long, with the permissions that a scoped token lacks. */
function messageOf(body: unknown): string | undefined {
  const { message, missing_permissions: missing } = (body ?? {}) as Readonly<Record<string, unknown>>;
  const lacks = Array.isArray(missing) ? `; the token lacks ${missing.join(", ")}` : "";
  return typeof message === "string" ? `${message}${lacks}`.replaceAll(/\s+/g, " ").slice(0, 300) : undefined;
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error && cause.cause.message !== "" ? cause.cause.message : cause.message;
}
