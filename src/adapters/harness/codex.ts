import { join } from "node:path";
import { accept, refuse } from "../../kernel/outcome.ts";
import type { HarnessConfig } from "../../ports/harness-config.ts";

/** Takes a provider of one's own from the person's config.toml, and from nowhere else. */
export const codex: HarnessConfig = {
	id: "codex",
	name: "Codex",
	protocol: "openai-responses",
	needsModel: false,
	usualModel: "gpt-5.6",
	plan({ user, project, environment }, { url, key, model }) {
		// openai/codex pull request 20098: a repository must not choose where credentials go.
		if (project !== undefined)
			return refuse(
				"harness/no-project",
				"Codex ignores model_provider in a project's .codex/config.toml. Connect it for all projects, without --project.",
			);
		const file = join(
			environment.CODEX_HOME || join(user, ".codex"),
			"config.toml",
		);
		const provider = (name: string, value: string) => ({
			path: ["model_providers", "dos", name],
			value,
		});
		return accept({
			files: [
				{
					path: file,
					format: "toml",
					settings: [
						...(model === undefined ? [] : [{ path: ["model"], value: model }]),
						{ path: ["model_provider"], value: "dos" },
						provider("name", "DuranteOS"),
						provider("base_url", `${url}/v1`),
						provider("wire_api", "responses"),
						// `env_key` would want the key in every shell, desktop and editor that starts it.
						provider("experimental_bearer_token", key),
					],
				},
			],
			steps: [],
			notes: [],
			model: { file, format: "toml", path: ["model"] },
		});
	},
};
