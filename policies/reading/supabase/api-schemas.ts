/** Schemas that the REST API may expose: the application's, and the one of pg_graphql. */
export const EXPOSED: readonly string[] = ["public", "graphql_public"];

/** Schemas whose functions and types a request may use without their prefix. */
export const SEARCHED: readonly string[] = [...EXPOSED, "extensions"];
