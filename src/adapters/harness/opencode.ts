import { join } from "node:path";
import { accept } from "../../kernel/outcome.ts";
import type { HarnessConfig } from "../../ports/harness-config.ts";

/** Takes a provider with a list of models from its own JSON; version 2 reads the same. */
export const opencode: HarnessConfig = {
	id: "opencode",
	name: "opencode",
	protocol: "openai-chat",
	needsModel: true,
	plan({ user, project, environment, exists }, { url, key, model, models }) {
		const folder =
			project ??
			join(environment.XDG_CONFIG_HOME || join(user, ".config"), "opencode");
		const commented = join(folder, "opencode.jsonc");
		const file = exists(commented) ? commented : join(folder, "opencode.json");
		const provider = (path: readonly string[], value: string) => ({
			path: ["provider", "dos", ...path],
			value,
		});
		const offered = new Set([
			...(model === undefined ? [] : [model]),
			...models,
		]);
		return accept({
			files: [
				{
					path: file,
					format: "json",
					settings: [
						// Without it, opencode writes it into the file itself.
						{
							path: ["$schema"],
							value: "https://opencode.ai/config.json",
							ifAbsent: true,
						},
						provider(["npm"], "@ai-sdk/openai-compatible"),
						provider(["name"], "DuranteOS"),
						provider(["options", "baseURL"], `${url}/v1`),
						provider(["options", "apiKey"], key),
						...[...offered].map((name) =>
							provider(["models", name, "name"], name),
						),
						...(model === undefined
							? []
							: [{ path: ["model"], value: `dos/${model}` }]),
					],
				},
			],
			steps: [],
			notes: [],
			model: { file, format: "json", path: ["model"], prefix: "dos/" },
		});
	},
};
