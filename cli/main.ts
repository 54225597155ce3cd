/** The entry of the CLI. The hook comes first: it holds for what is imported after it. */
import "./start/resolve.ts";

await import("./program.ts");
