import { UserError } from "../../contract/errors.ts";

/** Where Supabase's Management API is, and who calls it. */
export interface ManagementAccess {
  /** Without a slash at the end. */
  readonly endpoint: string;
  readonly token: string;
}

export const PUBLIC_ENDPOINT = "https://api.supabase.com";

/** Seconds that a call may take. */
const SECONDS = 20;

/** Reads from the Management API, as {@link callApi}. @throws UserError also for an answer that is not JSON */
export async function readApi(path: string, access: ManagementAccess): Promise<unknown> {
  const body = await callApi("GET", path, access);
  if (body !== undefined) return body;
  throw new UserError("unavailable", `GET /v1${path}`, "answered no JSON", fixOf(200));
}

/**
 * Calls the Management API.
 *
 * @param path after `/v1`
 * @returns undefined for an answer that is not JSON
 * @throws UserError `unavailable` that names the call, what the API said, and what to do; never the token
 */
export async function callApi(
  method: "GET" | "POST",
  path: string,
  { endpoint, token }: ManagementAccess,
  content?: Readonly<Record<string, unknown>>,
): Promise<unknown> {
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
  const body = parsed(text);
  if (response.ok) return body;
  const said = messageOf(body) ?? response.statusText;
  const problem = `answered ${String(response.status)}${said === "" ? "" : `: ${said}`}`;
  throw new UserError("unavailable", call, problem, fixOf(response.status));
}

function fixOf(status: number): string {
  switch (status) {
    case 401:
      return "make an access token at https://supabase.com/dashboard/account/tokens and set SUPABASE_ACCESS_TOKEN";
    case 403:
      return "use the access token of a member who may read the project's settings";
    case 404:
      return "compare exai:supabaseProjectRef with the project's page in Supabase's dashboard";
    case 429:
      return "wait a minute: the API takes 60 calls a minute; then run the command again";
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

/** The API's message, on one line and not too long. */
function messageOf(body: unknown): string | undefined {
  const message = typeof body === "object" && body !== null && "message" in body ? body.message : undefined;
  return typeof message === "string" ? message.replaceAll(/\s+/g, " ").slice(0, 200) : undefined;
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error && cause.cause.message !== "" ? cause.cause.message : cause.message;
}
