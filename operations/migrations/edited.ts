/** What may follow the last recorded statement: white space, semicolons and comments. */
const REST = /^(?:[\s;]|--[^\n]*(?:\n|$)|\/\*(?:[^*]|\*(?!\/))*\*\/)*$/;

/**
 * Whether a file differs from what was applied. The Supabase CLI records the statements of each migration; between them the
 * file has only white space and semicolons. Without a record, as after a repair by hand, nothing is known.
 */
export function isEdited(sql: string, recorded: readonly string[] | null): boolean {
  if (recorded === null || recorded.length === 0) return false;
  const text = sql.replaceAll("\r\n", "\n");
  let at = 0;
  for (const statement of recorded) {
    const plain = statement.replaceAll("\r\n", "\n");
    while (/[\s;]/.test(text[at] ?? "")) at += 1;
    if (!text.startsWith(plain, at)) return true;
    at += plain.length;
  }
  return !REST.test(text.slice(at));
}
