/** What a stack on a cluster needs and has no default, with values that no other text contains. */
export const PROD_SETTINGS = {
  hostname: "exai.example.com",
  productionUrl: "https://exai.example.com",
  kubeContext: "test",
  image: `example.com/exai@sha256:${"1".repeat(64)}`,
  backupImage: `example.com/postgres@sha256:${"2".repeat(64)}`,
  supabaseProjectRef: "abcdefghijklmnopqrst",
  supabaseDatabasePassword: "database-password-of-the-test",
  supabaseAccessToken: "sbp_0123456789",
  kimiApiKey: "kimi-key-of-the-test",
  glmApiKey: "glm-key-of-the-test",
} as const;
