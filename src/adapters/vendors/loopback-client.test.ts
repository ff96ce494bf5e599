import { describe } from "vitest";
import { httpClientContract } from "../../ports/http-client.contract.ts";
import { nodeHttpClient } from "../http-client/node.ts";
import { loopbackClient } from "./loopback.ts";

const onBun = "Bun" in globalThis;

describe.skipIf(onBun)(
	onBun
		? "needs Node: Bun only imitates the node:http behind it"
		: "whatever is not a loopback address",
	() => {
		httpClientContract("loopback in front of node", (options) =>
			loopbackClient(nodeHttpClient(options)),
		);
	},
);
