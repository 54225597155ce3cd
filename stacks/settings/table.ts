import { KUBERNETES_SETTINGS } from "./keys/kubernetes.ts";
import { LOCAL_SETTINGS } from "./keys/local.ts";
import { OPERATIONS_SETTINGS } from "./keys/operations.ts";
import { SERVER_SETTINGS } from "./keys/server.ts";

/** Every key under `exai:`. Pulumi.yaml declares the same ones; a test compares the two. */
export const SETTINGS = { ...SERVER_SETTINGS, ...LOCAL_SETTINGS, ...OPERATIONS_SETTINGS, ...KUBERNETES_SETTINGS };

/** A key of {@link SETTINGS}. */
export type SettingKey = keyof typeof SETTINGS;
