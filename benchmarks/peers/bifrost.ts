import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gatewayCore, running } from "../lib/gateways.ts";
import { startCommand } from "../lib/process.ts";
import { freePort, installed, run } from "./install.ts";
import { models, type Peer } from "./peer.ts";

const version = "1.6.3";
const module = "github.com/maximhq/bifrost/transports/bifrost-http";
/** A program that was built elsewhere, for machines where the Go registry does not have the module. */
const built = process.env.BENCH_BIFROST;
const key = "sk-bf-benchmark";
const unread = {
	untested:
		"Its spend is in a database of its own, which this harness does not read yet.",
};

/** Set up as its documentation says. */
export const bifrost: Peer = {
	id: "bifrost",
	name: "Bifrost",
	kind: "peer",
	conditions:
		"On: virtual keys that every call must carry, SQLite for settings. Off: its log of requests.",
	money: {
		spend: unread,
		budget: unread,
		durable: unread,
		messages: unread,
	},
	async prepare() {
		await program();
		return built ? "built elsewhere" : version;
	},
	async start({ upstreamPort, folder }) {
		const port = await freePort();
		mkdirSync(folder, { recursive: true });
		writeFileSync(
			join(folder, "config.json"),
			JSON.stringify(settings(upstreamPort, folder)),
		);
		const started = await startCommand({
			name: "Bifrost",
			command: await program(),
			args: [
				...["-app-dir", folder, "-host", "127.0.0.1", "-port", String(port)],
				...["-log-level", "error"],
			],
			env: { GOMAXPROCS: "1" },
			cpu: gatewayCore,
			foreign: true,
			answers: { port, path: "/health" },
		});
		return {
			...running(started, { authorization: `Bearer ${key}` }),
			// Here models are called as at OpenAI; at /v1 the provider stands before the name.
			base: "/openai",
		};
	},
};

async function program(): Promise<string> {
	if (built) return built;
	const folder = await installed(`bifrost-${version}`, async (folder) => {
		await run("go", ["install", `${module}@v${version}`], {
			folder,
			env: { GOBIN: folder },
		});
	});
	return join(folder, "bifrost-http");
}

function settings(upstreamPort: number, folder: string): object {
	return {
		client: { enforce_auth_on_inference: true, enable_logging: false },
		config_store: {
			enabled: true,
			type: "sqlite",
			config: { path: join(folder, "config.db") },
		},
		providers: {
			openai: {
				keys: [{ name: "mock", value: "mock-key", models: ["*"], weight: 1 }],
				network_config: { base_url: `http://127.0.0.1:${upstreamPort}` },
				concurrency_and_buffer_size: { concurrency: 1_000, buffer_size: 5_000 },
			},
		},
		governance: {
			virtual_keys: [
				{
					id: "benchmark",
					name: "benchmark",
					value: key,
					is_active: true,
					provider_configs: [
						{
							provider: "openai",
							allowed_models: [models.chat],
							key_ids: ["*"],
							weight: 1,
						},
					],
				},
			],
		},
	};
}
