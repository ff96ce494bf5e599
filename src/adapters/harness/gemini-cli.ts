import { join } from "node:path";
import { accept } from "../../kernel/outcome.ts";
import type { HarnessConfig } from "../../ports/harness-config.ts";

/** Reads variables from one .env file, the nearest, and how to sign in from its settings. */
export const geminiCli: HarnessConfig = {
	id: "gemini-cli",
	name: "Gemini CLI",
	protocol: "google-generate",
	needsModel: false,
	usualModel: "gemini-2.5-flash",
	plan({ user, project, environment }, { url, key, model }) {
		const folder = join(
			project ?? (environment.GEMINI_CLI_HOME || user),
			".gemini",
		);
		const file = join(folder, ".env");
		return accept({
			files: [
				{
					path: file,
					format: "dotenv",
					settings: [
						{ path: ["GOOGLE_GEMINI_BASE_URL"], value: url },
						{ path: ["GEMINI_API_KEY"], value: key },
						...(model === undefined
							? []
							: [{ path: ["GEMINI_MODEL"], value: model }]),
					],
				},
				{
					path: join(folder, "settings.json"),
					format: "json",
					settings: [
						{
							path: ["security", "auth", "selectedType"],
							value: "gemini-api-key",
						},
					],
				},
			],
			steps: [],
			notes: [
				"Gemini CLI reads this only in folders that you trust.",
				...(project === undefined
					? [
							"It reads one .env file, the nearest: a project with a .env of its own hides this one. There, use --project.",
						]
					: []),
			],
			model: { file, format: "dotenv", path: ["GEMINI_MODEL"] },
		});
	},
};
