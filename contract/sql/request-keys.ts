/** A secret of the vault by a constant name, as the function of a webhook reads it. */
const VAULT = String.raw`\bselect\s+decrypted_secret\s+(?:into\s+(?:strict\s+)?(\w+)\s+)?from\s+vault\.decrypted_secrets\s+where\s+name\s*=\s*'[^']*'(?:\s+limit\s+1)?`;

/**
 * The text of a function in which the secrets that only its own requests get are constants: the address and the key of the receiver.
 * A secret that goes anywhere else, such as into a row, stays a read of the vault.
 */
export function withoutKeysOfRequests(sql: string): string {
  const outside = requestsOf(sql)
    .reduce((rest, request) => rest.replace(request, ""), sql)
    .replaceAll(/'[^']*'/g, "''");
  const sent = (name: string) =>
    (outside.match(new RegExp(String.raw`\b${name}\b`, "gi")) ?? []).length ===
    (
      outside.match(new RegExp(String.raw`\b${name}\s+(?:text|varchar)\s*;|\binto\s+(?:strict\s+)?${name}\b`, "gi")) ??
      []
    ).length;
  const read = sql.replaceAll(new RegExp(VAULT, "gi"), (found, name: string | undefined) =>
    name !== undefined && sent(name) ? `select 'secret' into ${name}` : found,
  );
  return requestsOf(read).reduce(
    (rest, request) => rest.replace(request, () => request.replaceAll(new RegExp(VAULT, "gi"), "select 'secret'")),
    read,
  );
}

/** The calls of pg_net in a text, with their arguments. */
function requestsOf(sql: string): readonly string[] {
  return [...sql.matchAll(/\bnet\.http_(?:get|post|delete)\s*\(/gi)].map((call) => {
    let [depth, end] = [1, call.index + call[0].length];
    for (let quoted = false; depth > 0 && end < sql.length; end += 1) {
      const letter = sql[end];
      if (letter === "'") quoted = !quoted;
      else if (!quoted) depth += letter === "(" ? 1 : letter === ")" ? -1 : 0;
    }
    return sql.slice(call.index, end);
  });
}
