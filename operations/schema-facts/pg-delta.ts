export type { Delta, DependencyEdge, Fact, FactBase, Plan, StableId } from "@supabase/pg-delta";

/** The library that reads a schema as facts. It is large and few commands need it, so it is loaded at its first use. */
export async function loadPgDelta() {
  const [library, { resolveView }] = await Promise.all([
    import("@supabase/pg-delta"),
    import("@supabase/pg-delta/policy"),
  ]);
  return { ...library, resolveView };
}

/** Reads what an extension keeps in its tables, such as the jobs of pg_cron. */
export type ExtensionHandler = Awaited<ReturnType<typeof loadPgDelta>>["supabaseProfile"]["handlers"][number];
