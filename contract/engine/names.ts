/** Name of the component that generates the secrets of a stack. */
export const GENERATED = "generated";

/** Name of the generated secret that opens the repository of the backups. */
export const BACKUPS_KEY = "backups";

/** Name under which a local stack keeps the key for tokens that a rotation has made. */
export const ROTATED_KEY = "rotated-jwt";

/** Name of the resource that generates a secret. It is also the name under which a local stack keeps the value. */
export function generatedName(secret: string): string {
  return `${GENERATED}-${secret}`;
}

/** Environment variable of a program whose resources the policy pack judges, so that the program does not judge them again. */
export const PACK_VARIABLE = "EXAI_POLICY_PACK";
