import { command, onStack } from "../../contract/fix.ts";
import type { ApiKey, ApiKeyCreated, ApiKeyList, ApiKeyRevoked } from "../../operations/api-keys/keys.ts";
import { heading, lines, next, pairs, type Block, type Text } from "./block.ts";
import { count, utc } from "./units.ts";

/** `api-key create`. */
export function formatApiKeyCreate({ key, apiKey, stack }: ApiKeyCreated): readonly Block[] {
  const { name, user, scopes, expiresAt, prefix } = apiKey;
  return [
    heading(`API key ${prefix} is issued`, "good"),
    pairs({ key, name, user, scopes: scopes.join(", "), "expires (UTC)": utc(new Date(expiresAt)) }),
    lines("the key is not shown again, and is stored nowhere; clients send it as: Authorization: Bearer <key>"),
    next(command(onStack("api-key list", stack)), command(onStack(`api-key revoke ${prefix}`, stack))),
  ];
}

/** `api-key list`. */
export function formatApiKeyList({ apiKeys, stack }: ApiKeyList): readonly Block[] {
  const valid = apiKeys.filter(({ state }) => state === "valid").length;
  return [
    {
      type: "table",
      columns: [
        ...[{ title: "KEY" }, { title: "STATE" }, { title: "NAME" }, { title: "USER", priority: 1 }],
        ...[
          { title: "SCOPES", priority: 3 },
          { title: "CREATED (UTC)", priority: 4 },
        ],
        ...[
          { title: "LAST USED (UTC)", priority: 2 },
          { title: "EXPIRES (UTC)", priority: 1 },
        ],
      ],
      rows: apiKeys.map((each) => [
        ...[each.prefix, stateText(each), each.name, each.user, each.scopes.join(",")],
        ...[utc(new Date(each.createdAt)), timeText(each.lastUsedAt), utc(new Date(each.expiresAt))],
      ]),
    },
    heading(`${count(apiKeys.length, "API key")}, ${String(valid)} valid`),
    ...(apiKeys.length === 0 ? [next(command(onStack("api-key create <name> --user <id>", stack)))] : []),
  ];
}

/** `api-key revoke`. */
export function formatApiKeyRevoke({ apiKey, unchanged, stack }: ApiKeyRevoked): readonly Block[] {
  const { prefix, name, state, revokedAt, expiresAt } = apiKey;
  const since = utc(new Date(state === "revoked" ? (revokedAt ?? expiresAt) : expiresAt));
  return [
    heading(
      unchanged
        ? `API key ${prefix} (${name}) ${state === "revoked" ? "was revoked" : "has expired"} at ${since} UTC`
        : `API key ${prefix} (${name}) is revoked: no server accepts it any more`,
      "good",
    ),
    next(command(onStack("api-key list", stack))),
  ];
}

function stateText({ state }: ApiKey): Text {
  return { text: state, tone: state === "valid" ? "good" : "bad" };
}

function timeText(at: string | undefined): string {
  return at === undefined ? "never" : utc(new Date(at));
}
