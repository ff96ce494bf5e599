import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gatewayCore, running } from "../lib/gateways.ts";
import { startCommand } from "../lib/process.ts";
import { installed, run } from "./install.ts";
import type { Peer } from "./peer.ts";

const version = "1.15.2";
/** Its own range takes newer ones, with which its streams break off. */
const overrides = { hono: "4.9.7", "@hono/node-server": "1.13.5" };
const loopback = fileURLToPath(new URL("loopback.ts", import.meta.url));
const hosted = {
	none: "The open gateway has none: it is part of the hosted product.",
};

export const portkey: Peer = {
	id: "portkey",
	name: "Portkey",
	kind: "peer",
	conditions:
		"On: routing to a custom host by headers. It has no keys, prices or spend to turn on. Runs on Node.",
	money: { spend: hosted, budget: hosted, durable: hosted, messages: hosted },
	async prepare() {
		await folder();
		return version;
	},
	async start({ upstreamPort }) {
		const server = "node_modules/@portkey-ai/gateway/build/start-server.js";
		const started = await startCommand({
			name: "Portkey",
			command: process.execPath,
			args: ["--import", loopback, join(await folder(), server), "--headless"],
			env: { NODE_ENV: "production" },
			cpu: gatewayCore,
			foreign: true,
		});
		return running(started, {
			authorization: "Bearer mock-key",
			"x-portkey-provider": "openai",
			"x-portkey-custom-host": `http://127.0.0.1:${upstreamPort}/v1`,
		});
	},
};

function folder(): Promise<string> {
	return installed(`portkey-${version}`, async (folder) => {
		writeFileSync(
			join(folder, "package.json"),
			JSON.stringify({
				private: true,
				dependencies: { "@portkey-ai/gateway": version },
				overrides,
			}),
		);
		await run("npm", ["install", "--no-audit", "--no-fund"], { folder });
	});
}
