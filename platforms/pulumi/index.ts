export { Engine } from "./engine.ts";
export { openEngine } from "./open.ts";
export { engineDown } from "./down.ts";
export { enginePreview } from "./preview.ts";
export { engineUp } from "./up.ts";
