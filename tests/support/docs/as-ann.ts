// Loaded into every Node process of a documented command: the pages show ann@host on any machine.
import { syncBuiltinESMExports } from "node:module";
import os from "node:os";

const { userInfo } = os;
os.hostname = () => "host";
os.userInfo = ((options?: { encoding: "utf8" }) => ({ ...userInfo(options), username: "ann" })) as typeof os.userInfo;
syncBuiltinESMExports();
