import type { Resource } from "../../contract/graph.ts";

/** The provider among a resource's options, by its URN; nothing for a default provider of the engine, such as `default_4_29_0`. */
export function explicitProvider(urn = ""): Pick<Resource["options"], "provider"> {
  return urn === "" || /::default(?:_\d+)*$/.test(urn) ? {} : { provider: urn };
}
