import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gatewayCore, running } from "../lib/gateways.ts";
import { startCommand } from "../lib/process.ts";
import { freePort, installed, run } from "./install.ts";
import { models, type Peer, prices, type StartOptions } from "./peer.ts";

const version = "1.103.0";
const key = "sk-benchmark";

export const litellm: Peer = {
	id: "litellm",
	name: "LiteLLM",
	kind: "peer",
	conditions:
		"On: master key, cost of each call, and for the money tests its provider budgets. Off: virtual keys, their budgets and stored spend, which need Postgres through Prisma, whose engines are in no package registry. One worker.",
	money: {
		spend: true,
		budget: true,
		durable: {
			untested:
				"Without a database it keeps spend in memory; its database is reached through Prisma, whose engines are in no package registry.",
		},
		messages: true,
	},
	async prepare() {
		await folder();
		return version;
	},
	async start(options) {
		const port = await freePort();
		mkdirSync(options.folder, { recursive: true });
		const config = join(options.folder, "config.yaml");
		// YAML takes JSON as it is.
		writeFileSync(config, JSON.stringify(settings(options)));
		writeFileSync(join(options.folder, "observer.py"), observer);
		const spent = join(options.folder, "spend.jsonl");
		const started = await startCommand({
			name: "LiteLLM",
			command: join(await folder(), "bin", "litellm"),
			args: [
				...["--config", config, "--host", "127.0.0.1", "--port", String(port)],
				...["--num_workers", "1"],
			],
			env: {
				// Its own list of prices, not one fetched at every start.
				LITELLM_LOCAL_MODEL_COST_MAP: "True",
				LITELLM_LOG: "ERROR",
				LITELLM_MODE: "PRODUCTION",
				OBSERVED_SPEND: spent,
			},
			cpu: gatewayCore,
			foreign: true,
			answers: { port, path: "/health/liveliness" },
		});
		return {
			...running(started, { authorization: `Bearer ${key}` }),
			spent: async () => sumOfCosts(spent),
		};
	},
};

function folder(): Promise<string> {
	return installed(`litellm-${version}`, async (folder) => {
		await run("python3", ["-m", "venv", folder], { folder });
		const pip = join(folder, "bin", "pip");
		await run(pip, ["install", "-q", `litellm[proxy]==${version}`], { folder });
	});
}

function settings({ upstreamPort, money }: StartOptions): object {
	const base = `http://127.0.0.1:${upstreamPort}`;
	const costs = {
		input_cost_per_token: prices.input / 1e6,
		cache_read_input_token_cost: prices.cacheRead / 1e6,
		cache_creation_input_token_cost: prices.cacheWrite / 1e6,
		output_cost_per_token: prices.output / 1e6,
	};
	const served = (name: string, model: string, address: string) => ({
		model_name: name,
		litellm_params: { model, api_base: address, api_key: "mock-key", ...costs },
	});
	const budget =
		money?.budget === undefined
			? undefined
			: { budget_limit: money.budget, time_period: "1d" };
	return {
		model_list: [
			served(models.chat, `openai/${models.chat}`, `${base}/v1`),
			served(models.messages, `anthropic/${models.messages}`, base),
		],
		general_settings: { master_key: key },
		litellm_settings: {
			telemetry: false,
			...(money ? { callbacks: "observer.observer" } : {}),
		},
		router_settings: {
			num_retries: 0,
			disable_cooldowns: true,
			...(budget
				? { provider_budget_config: { openai: budget, anthropic: budget } }
				: {}),
		},
	};
}

/** Writes down what LiteLLM says a call cost, by the extension it has for that. */
const observer = `import json, os
from litellm.integrations.custom_logger import CustomLogger


class Observer(CustomLogger):
    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        with open(os.environ["OBSERVED_SPEND"], "a") as file:
            file.write(json.dumps({"cost": kwargs.get("response_cost")}) + "\\n")


observer = Observer()
`;

function sumOfCosts(file: string): number {
	if (!existsSync(file)) return 0;
	return readFileSync(file, "utf8")
		.split("\n")
		.filter((line) => line !== "")
		.reduce((sum, line) => sum + (JSON.parse(line).cost ?? 0), 0);
}
