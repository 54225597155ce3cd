/** The settings of a Supabase project. What is absent keeps the project's value. */
export interface SupabaseSettings {
  readonly api: {
    /** Schemas that the REST API exposes. */
    readonly schemas: readonly string[];
    /** Maximum number of rows of a response. */
    readonly maxRows: number;
  };
  readonly auth: {
    /** Origin of the browsers that sign in. */
    readonly siteUrl: string;
    /** Other addresses that sign-in may lead to. */
    readonly redirectUrls?: readonly string[];
    /** Whether strangers may make an account. */
    readonly signUps?: boolean;
    /** Whether an account works before its mail address is confirmed. */
    readonly unconfirmedMail?: boolean;
    /** Whether a user needs no account. */
    readonly anonymousUsers?: boolean;
    /** Life of an access token. */
    readonly tokenSeconds?: number;
    /** Whether a refresh token is good for one use. */
    readonly rotateRefreshTokens?: boolean;
    readonly passwordLength?: number;
  };
  readonly database: {
    /** In PostgreSQL's units, e.g. `30s`. */
    readonly statementTimeout: string;
    readonly maxConnections?: number;
  };
  readonly network: {
    /** Address ranges that may open database connections; all if absent. */
    readonly allowedCidrs?: readonly string[] | undefined;
  };
  readonly storage: {
    /** Bytes. */
    readonly fileSizeLimit?: number;
    readonly imageTransformation?: boolean;
    /** Whether the objects can be reached by S3's protocol too. */
    readonly s3?: boolean;
  };
}

/**
 * The sections of the project's settings, each a JSON string as the Management API names its fields; undefined for one that sets
 * nothing.
 */
export function sections({
  api,
  auth,
  database,
  network,
  storage,
}: SupabaseSettings): Partial<Record<"api" | "auth" | "database" | "network" | "storage", string>> {
  const all = {
    api: {
      db_schema: api.schemas.join(","),
      db_extra_search_path: "public,extensions",
      max_rows: api.maxRows,
    },
    auth: {
      site_url: auth.siteUrl,
      uri_allow_list: auth.redirectUrls?.join(","),
      disable_signup: auth.signUps === undefined ? undefined : !auth.signUps,
      mailer_autoconfirm: auth.unconfirmedMail,
      external_anonymous_users_enabled: auth.anonymousUsers,
      jwt_exp: auth.tokenSeconds,
      refresh_token_rotation_enabled: auth.rotateRefreshTokens,
      password_min_length: auth.passwordLength,
    },
    database: { statement_timeout: database.statementTimeout, max_connections: database.maxConnections },
    network: { restrictions: network.allowedCidrs },
    storage: {
      fileSizeLimit: storage.fileSizeLimit,
      features:
        storage.imageTransformation === undefined && storage.s3 === undefined
          ? undefined
          : {
              imageTransformation: enabled(storage.imageTransformation),
              s3Protocol: enabled(storage.s3),
            },
    },
  };
  const texts = Object.entries(all).map(([section, fields]) => [section, JSON.stringify(fields)] as const);
  return Object.fromEntries(texts.filter(([, text]) => text !== "{}"));
}

function enabled(value: boolean | undefined): { readonly enabled: boolean } | undefined {
  return value === undefined ? undefined : { enabled: value };
}
