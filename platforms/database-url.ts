/** Variable with a connection string, for users who do not want it among a process's arguments. */
export const DATABASE_URL_VARIABLE = "EXAI_DATABASE_URL";

/** The connection string in the environment; undefined if there is none. */
export function environmentUrl(): string | undefined {
  const url = process.env[DATABASE_URL_VARIABLE];
  return url === "" ? undefined : url;
}
