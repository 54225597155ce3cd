/** A statement of a workload, as `branch shadow` reads it. */
interface Statement {
  readonly sql: string;
  readonly values?: readonly unknown[];
}

/** A line of a workload file: statements of one transaction of a user. */
export function workloadLine(user: string, ...statements: readonly Statement[]): string {
  return JSON.stringify({ role: "authenticated", claims: { sub: user, role: "authenticated" }, statements });
}

/** Lines of four operations each, with the conversations of a user. Row-level security refuses the last of them. */
export function conversations(user: string, lines: number): readonly string[] {
  return Array.from({ length: lines }, (_, index) =>
    workloadLine(
      user,
      {
        sql: "insert into public.conversations (user_id, title) values ($1, $2) returning id, title",
        values: [user, index],
      },
      {
        sql: "update public.conversations set title = $1 where user_id = $2",
        values: [`title ${String(index)}`, user],
      },
      { sql: "select title, count(*) from public.conversations group by title" },
      { sql: "insert into public.conversations (user_id) values (gen_random_uuid())" },
    ),
  );
}
