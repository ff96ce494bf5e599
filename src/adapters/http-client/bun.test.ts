import { describe } from "vitest";
import { httpClientContract } from "../../ports/http-client.contract.ts";
import { bun } from "../http-server/bun-api.ts";
import { bunHttpClient } from "./bun.ts";

describe.skipIf(!bun)(
	bun ? "on Bun" : "needs Bun: its fetch is another one elsewhere",
	() => {
		httpClientContract("bun", (options) => bunHttpClient(options), {
			closeIdle: "Bun keeps one pool of connections for the whole process",
			connectTimeout: "fetch does not tell when the connection stands",
			headerLimit: "Bun takes headers of any size",
			idleHint: "Bun keeps idle connections for a time of its own",
			socketLimit: "Bun limits calls at once for the whole process only",
			strictParsing:
				"Bun forgives some, and reports the rest as a lost connection",
		});
	},
);
