import { describe } from "vitest";
import { httpServerContract } from "../../ports/http-server.contract.ts";
import { nodeHttpServer } from "./node.ts";

const onBun = "Bun" in globalThis;

describe.skipIf(onBun)(
	onBun
		? "needs Node: Bun only imitates node:http, and has an adapter of its own"
		: "on Node",
	() => {
		httpServerContract("node", () => nodeHttpServer());
	},
);
