/** Forms of PostgreSQL that do nothing if the object exists, or does not. */
const NATIVE: readonly (readonly [RegExp, string])[] = [
  [
    /^CREATE (TABLE|SEQUENCE|SCHEMA|EXTENSION|MATERIALIZED VIEW|FOREIGN TABLE|SERVER)(?! IF NOT EXISTS) /i,
    "CREATE $1 IF NOT EXISTS ",
  ],
  [/^CREATE (UNIQUE )?INDEX(?! IF NOT EXISTS) /i, "CREATE $1INDEX IF NOT EXISTS "],
  [/^CREATE (VIEW|TRIGGER|AGGREGATE|RULE) /i, "CREATE OR REPLACE $1 "],
  [/^(ALTER (?:FOREIGN )?TABLE (?:ONLY )?\S+) ADD COLUMN(?! IF NOT EXISTS) /i, "$1 ADD COLUMN IF NOT EXISTS "],
  [/^(ALTER (?:FOREIGN )?TABLE (?:ONLY )?\S+) DROP (COLUMN|CONSTRAINT)(?! IF EXISTS) /i, "$1 DROP $2 IF EXISTS "],
  [/^(ALTER TYPE \S+) ADD VALUE(?! IF NOT EXISTS) /i, "$1 ADD VALUE IF NOT EXISTS "],
  [/^DROP ((?:[A-Z]+ ){1,2})(?!IF EXISTS)(?=["a-z])/, "DROP $1IF EXISTS "],
];

/** What may run again unchanged: it sets a state, or replaces. */
const PLAIN = /^(CREATE OR REPLACE|GRANT|REVOKE|COMMENT|DROP|SECURITY LABEL|SELECT|ALTER (?!.* (ADD|RENAME|ATTACH) ))/i;

/** Errors of what exists already: an object, an index of a constraint, a second primary key. */
const EXISTS = "duplicate_object or duplicate_table or invalid_table_definition";

/**
 * A statement of a plan that may run again. What has no such form in PostgreSQL, such as a constraint or a type, is guarded by a
 * block that ignores that it exists. Whether the result is right is proved by comparing schemas, not assumed.
 */
export function idempotent(sql: string): string {
  const policy = /^CREATE POLICY ("(?:[^"]|"")+") ON (\S+) /i.exec(sql);
  if (policy !== null) return `DROP POLICY IF EXISTS ${policy[1] ?? ""} ON ${policy[2] ?? ""};\n${sql}`;
  for (const [form, replacement] of NATIVE) if (form.test(sql)) return sql.replace(form, replacement);
  if (PLAIN.test(sql)) return sql;
  return `do $exai$ begin\n${sql};\nexception when ${EXISTS} then null;\nend $exai$`;
}
