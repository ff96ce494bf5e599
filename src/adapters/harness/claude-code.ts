import { join } from "node:path";
import { accept } from "../../kernel/outcome.ts";
import type { HarnessConfig, Setting } from "../../ports/harness-config.ts";

/** The names that its kinds of model go by; each has a variable of its own. */
const kinds = ["OPUS", "SONNET", "HAIKU", "FABLE"];

/** Reads variables from the `env` of its settings, which win over the shell's. */
export const claudeCode: HarnessConfig = {
	id: "claude-code",
	name: "Claude Code",
	protocol: "anthropic-messages",
	needsModel: false,
	usualModel: "claude-sonnet-5",
	plan({ user, project, environment }, { url, key, model }) {
		// A project's settings.json is committed; settings.local.json is the person's own.
		const file =
			project === undefined
				? join(
						environment.CLAUDE_CONFIG_DIR || join(user, ".claude"),
						"settings.json",
					)
				: join(project, ".claude", "settings.local.json");
		const variable = (name: string, value: string): Setting => ({
			path: ["env", name],
			value,
		});
		return accept({
			files: [
				{
					path: file,
					format: "json",
					settings: [
						variable("ANTHROPIC_BASE_URL", url),
						variable("ANTHROPIC_AUTH_TOKEN", key),
						// One from the shell would be sent beside the token, and two keys are refused.
						variable("ANTHROPIC_API_KEY", ""),
						...(model === undefined
							? []
							: [
									variable("ANTHROPIC_MODEL", model),
									// Its helpers and what runs in the background ask for these.
									...kinds.map((kind) =>
										variable(`ANTHROPIC_DEFAULT_${kind}_MODEL`, model),
									),
								]),
					],
				},
			],
			steps: [],
			notes: [
				"The sign-in to claude.ai is left alone, and not used while connected.",
			],
			model: { file, format: "json", path: ["env", "ANTHROPIC_MODEL"] },
		});
	},
};
