import { signJwt } from "../jwt.ts";

/** The local object store, which speaks the used part of Supabase's Storage API. */
export const OBJECT_STORE = {
  /** Its name on the networks. */
  host: "object-store",
  /** As Supabase's own. */
  port: 5000,
  /** Base of its API on the networks. */
  url: "http://object-store:5000",
  /** Folder of its volume. */
  data: "/var/lib/exai-objects",
  /** Variable that names the file of the key for its tokens. */
  secretVariable: "STORAGE_JWT_SECRET_FILE",
  /** Where that file is. */
  secretFile: "/run/secrets/exai/storage-jwt-secret",
  /** UID and GID of its process. */
  uid: 10002,
} as const;

/** A key of the Storage API as Supabase issues it: a token with a role, signed with HS256. It does not expire. */
export function storageKey(secret: string, role: "anon" | "service_role"): string {
  return signJwt({ iss: "exai", role }, secret);
}
