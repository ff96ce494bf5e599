import { join } from "node:path";
import { accept } from "../../kernel/outcome.ts";
import type { HarnessConfig } from "../../ports/harness-config.ts";

/** Whatever reads the variables that the vendors' own SDKs read. */
export const env: HarnessConfig = {
	id: "env",
	name: "The environment",
	protocol: "openai-chat",
	needsModel: false,
	plan({ project }, { url, key }) {
		const variables = {
			OPENAI_BASE_URL: `${url}/v1`,
			OPENAI_API_KEY: key,
			ANTHROPIC_BASE_URL: url,
			ANTHROPIC_API_KEY: key,
			GOOGLE_GEMINI_BASE_URL: url,
			GEMINI_API_KEY: key,
		};
		if (project === undefined)
			return accept({ files: [], shell: variables, steps: [], notes: [] });
		return accept({
			files: [
				{
					path: join(project, ".env"),
					format: "dotenv",
					settings: Object.entries(variables).map(([name, value]) => ({
						path: [name],
						value,
					})),
				},
			],
			steps: [],
			notes: [],
		});
	},
};
