import { describe } from "vitest";
import { httpClientContract } from "../../ports/http-client.contract.ts";
import { nodeHttpClient } from "./node.ts";

const onBun = "Bun" in globalThis;

describe.skipIf(onBun)(
	onBun
		? "needs Node: Bun only imitates node:http, and has an adapter of its own"
		: "on Node",
	() => {
		httpClientContract("node", (options) => nodeHttpClient(options));
	},
);
