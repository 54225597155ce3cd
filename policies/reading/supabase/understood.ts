import type { Reader } from "../../model/reader.ts";
import { any, type Truth } from "../../model/truth.ts";
import { matching, type Options } from "../options.ts";

// cspell:ignore firebaseapp herokuapp inbucket onrender webauthn

/** An address of this machine, of the machine that runs the containers, or of a phone in the same house. */
const HERE =
  /^http:\/\/(?:127\.0\.0\.1|(?:[\w-]+\.)?localhost|\[::1\]|host\.docker\.internal|10(?:\.\d+){3}|192\.168(?:\.\d+){2})(?=[:/]|$)/;
/** A path below the folder of the configuration: no address of a module, and no way out. */
const BELOW = /^(?!.*(?:^|\/)\.\.(?:\/|$))(?:\.\/)?[\w@][\w@./ *{},()[\]-]*$/;
/** Any page of a host under which anyone may register a name gets the tokens. */
const ANY_HOST =
  /^(?:\*|https?:\/\/\*+(?:[:/]|$)|https?:\/\/\*+\.(?:vercel\.app|netlify\.app|pages\.dev|workers\.dev|github\.io|web\.app|firebaseapp\.com|herokuapp\.com|onrender\.com|fly\.dev|ngrok(?:-free)?\.(?:app|io))(?:[:/]|$))/;

/** The value, where the machine on which the CLI runs may also give it. */
const orGiven =
  (holds: (value: string) => boolean): Options =>
  (value: Reader): Truth =>
    value.state === "unknown" || value.test((given) => typeof given === "string" && holds(given));

const address = orGiven((text) => text.startsWith("https://") || HERE.test(text));
const hook = orGiven((text) => /^(?:https|pg-functions):\/\//.test(text) || HERE.test(text));
const redirect = orGiven((text) => !ANY_HOST.test(text) && (!/^http:/i.test(text) || HERE.test(text)));
const seconds =
  (most: number): Options =>
  (value: Reader): Truth =>
    any(value.state === "unknown", value.within(1, most));

/** The settings of the Supabase CLI that the rules understand. Secrets, and what must not be off, are judged by what holds of them. */
export const UNDERSTOOD: Options = {
  project_id: "any",
  api: {
    enabled: "any",
    port: "any",
    // Judged with what is exposed.
    schemas: "any",
    extra_search_path: "any",
    max_rows: seconds(100_000),
    external_url: address,
    auto_expose_new_tables: "any",
    tls: { enabled: "any", cert_path: "any", key_path: "any" },
  },
  db: {
    port: "any",
    shadow_port: "any",
    health_timeout: "any",
    major_version: "any",
    root_key: "any",
    pooler: "any",
    vault: "any",
    migrations: { enabled: "any", schema_paths: "any" },
    seed: { enabled: "any", sql_paths: "any" },
    network_restrictions: "any",
    ssl_enforcement: "any",
    settings: {
      session_replication_role: matching(/^origin$/),
      "*": "any",
    },
  },
  realtime: "any",
  studio: "any",
  pgadmin: "any",
  local_smtp: "any",
  inbucket: "any",
  storage: {
    enabled: "any",
    file_size_limit: "any",
    buckets: {
      "*": { public: "any", file_size_limit: "any", allowed_mime_types: "any", objects_path: matching(BELOW) },
    },
    image_transformation: "any",
    s3_protocol: "any",
    analytics: "any",
    vector: "any",
  },
  auth: {
    enabled: "any",
    site_url: redirect,
    external_url: address,
    jwt_issuer: address,
    additional_redirect_urls: redirect,
    jwt_expiry: seconds(86_400),
    jwt_secret: "any",
    anon_key: "any",
    service_role_key: "any",
    publishable_key: "any",
    secret_key: "any",
    signing_keys_path: "any",
    enable_refresh_token_rotation: "any",
    refresh_token_reuse_interval: seconds(300),
    enable_manual_linking: "any",
    enable_signup: "any",
    enable_anonymous_sign_ins: "any",
    minimum_password_length: "any",
    password_requirements: "any",
    passkey: "any",
    webauthn: "any",
    rate_limit: "any",
    captcha: "any",
    sessions: "any",
    mfa: "any",
    web3: "any",
    oauth_server: "any",
    email: {
      enable_signup: "any",
      double_confirm_changes: "any",
      enable_confirmations: "any",
      secure_password_change: "any",
      max_frequency: "any",
      otp_length: "any",
      otp_expiry: seconds(86_400),
      smtp: "any",
      template: { "*": { subject: "any", content: "any", content_path: matching(BELOW) } },
      notification: { "*": { enabled: "any", subject: "any", content: "any", content_path: matching(BELOW) } },
    },
    sms: "any",
    hook: { "*": { enabled: "any", uri: hook, secrets: "any" } },
    external: {
      "*": {
        enabled: "any",
        client_id: "any",
        secret: "any",
        url: address,
        redirect_uri: address,
        skip_nonce_check: "any",
        email_optional: "any",
      },
    },
    third_party: "any",
  },
  edge_runtime: "any",
  functions: {
    "*": {
      enabled: "any",
      verify_jwt: "any",
      import_map: matching(BELOW),
      entrypoint: matching(BELOW),
      static_files: matching(BELOW),
      env: "any",
    },
  },
  analytics: "any",
  experimental: "any",
};
