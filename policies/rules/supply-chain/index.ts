import type { Rule } from "../../model/rule.ts";
import { billsOfMaterials } from "./bills-of-materials.ts";
import { digests } from "./digests.ts";
import { loadedCode } from "./loaded-code.ts";
import { registries } from "./registries.ts";
import { signatures } from "./signatures.ts";
import { tags } from "./tags.ts";
import { visibleCommands } from "./visible-commands.ts";

/** Rules about images. In the order of reports. */
export const SUPPLY_CHAIN_RULES: readonly Rule[] = [
  digests,
  tags,
  registries,
  signatures,
  billsOfMaterials,
  visibleCommands,
  loadedCode,
];
