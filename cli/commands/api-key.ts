import { InvalidArgumentError } from "commander";
import { EXIT } from "../../contract/errors.ts";
import { API_KEY_SCOPES, apiKeyPrefix, type ApiKeyScope } from "../../contract/secrets/api-key.ts";
import { createApiKey, listApiKeys, revokeApiKey, type KeyDatabase } from "../../operations/api-keys/keys.ts";
import { openStack } from "../../platforms/stack.ts";
import { audited } from "../audited.ts";
import { resultOf, type Verb } from "../events.ts";
import { onStack, withReason, type ReasonFlag, type Register, type SetFlags } from "./command.ts";

interface UserFlag {
  readonly user?: string;
}

interface CreateFlags {
  readonly user: string;
  readonly scopes: readonly ApiKeyScope[];
  readonly expiresIn: number;
}

const DAY = 86_400;

/** Longest life of a key, days. */
const LONGEST_DAYS = 3650;

/** api-key: keys that programs of users send instead of a token. */
export const registerApiKey: Register = (program, run) => {
  const keys = program.command("api-key").description("keys that programs of users send instead of a token");

  withReason(
    onStack(
      keys
        .command("create")
        .description("issue a key for a user, and show it once")
        .argument("<name>", "what the user calls it"),
    ),
  )
    .requiredOption("--user <id>", "the user: id of auth.users", parseUser)
    .option("--scopes <scopes>", "what it is for: chat, files, admin", parseScopes, ["chat"] as const)
    .option("--expires-in <time>", "time after which it is not accepted, such as 12h or 90d", parseLife, 365 * DAY)
    .addHelpText(
      "after",
      `
Only a hash of the key is stored. The server acts for the key's user, as with a token of that user: chat is for MCP, conversations
and WebSockets, files for uploads.

Exit codes: 0 issued, 2 failed.

Example:
  ./exai api-key create "nightly import" prod --user 00000000-0000-4000-8000-000000000001 --scopes files --expires-in 90d`,
    )
    .action(async (name: string, stack: string, flags: SetFlags & ReasonFlag & CreateFlags) => {
      await run((signal) => {
        const opened = openStack(stack, flags.set);
        const { user, scopes, expiresIn: seconds } = flags;
        const verb = async function* (): Verb {
          const database = await databaseOf(opened, signal);
          const created = createApiKey(database, { user, name, scopes, seconds });
          return yield* resultOf("api-key create", created, () => EXIT.ok);
        };
        return audited(opened.audit, { verb: "api-key create", subject: name, reason: flags.reason }, verb(), signal);
      });
    });

  onStack(keys.command("list").description("list the keys: owner, state, last use and expiry"))
    .option("--user <id>", "only those of one user", parseUser)
    .action(async (stack: string, flags: SetFlags & UserFlag) => {
      await run(async function* (signal) {
        const database = await databaseOf(openStack(stack, flags.set), signal);
        return yield* resultOf("api-key list", listApiKeys(database, flags.user), () => EXIT.ok);
      });
    });

  withReason(
    onStack(
      keys
        .command("revoke")
        .description("revoke a key; servers refuse its next request")
        .argument("<key>", "its first characters, as list shows them, its identifier, or the key itself"),
    ),
  ).action(async (key: string, stack: string, flags: SetFlags & ReasonFlag) => {
    await run((signal) => {
      const opened = openStack(stack, flags.set);
      const verb = async function* (): Verb {
        const database = await databaseOf(opened, signal);
        return yield* resultOf("api-key revoke", revokeApiKey(database, key), () => EXIT.ok);
      };
      // No record has a whole key.
      const subject = key.startsWith("exai_") ? apiKeyPrefix(key) : key;
      return audited(opened.audit, { verb: "api-key revoke", subject, reason: flags.reason }, verb(), signal);
    });
  });
};

async function databaseOf(stack: ReturnType<typeof openStack>, signal: AbortSignal): Promise<KeyDatabase> {
  const { url } = await stack.database({ signal });
  return stack.environment === "local" ? { url } : { url, stack: stack.name };
}

function parseUser(text: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text))
    throw new InvalidArgumentError("Expected the id of a user, a UUID.");
  return text.toLowerCase();
}

function parseScopes(text: string): readonly ApiKeyScope[] {
  const scopes = text.split(",").map((each) => API_KEY_SCOPES.find((scope) => scope === each.trim()));
  const known = scopes.filter((each) => each !== undefined);
  if (known.length < scopes.length) throw new InvalidArgumentError(`Expected some of ${API_KEY_SCOPES.join(", ")}.`);
  return [...new Set(known)];
}

/** Seconds. */
function parseLife(text: string): number {
  const [, number, unit] = /^([1-9]\d{0,5})(h|d)$/.exec(text) ?? [];
  const seconds = Number(number) * (unit === "d" ? DAY : 3600);
  if (!(seconds <= LONGEST_DAYS * DAY))
    throw new InvalidArgumentError(`Expected hours or days, such as 12h or 90d, at most ${String(LONGEST_DAYS)}d.`);
  return seconds;
}
