import { accept, refuse } from "../../kernel/outcome.ts";
import type { HarnessConfig } from "../../ports/harness-config.ts";

/** Keeps these settings in a database of its own, and calls models from its makers' servers: all is done by hand. */
export const cursor: HarnessConfig = {
	id: "cursor",
	name: "Cursor",
	protocol: "openai-chat",
	needsModel: true,
	plan({ project }, { url, key, model }) {
		if (project !== undefined)
			return refuse(
				"harness/no-project",
				"Cursor has one base URL for everything, and none for a project. Connect it without --project.",
			);
		const reachable = isPublic(url);
		return accept({
			files: [],
			steps: [
				...(reachable
					? []
					: [
							"Give this gateway a public https address (docs/guides/connect-a-tool.md says how), then run this again with --url and that address.",
						]),
				"In Cursor, open Cursor Settings, then Models, then API Keys.",
				`Turn on "OpenAI API Key" and paste: ${key}`,
				`Turn on "Override OpenAI Base URL" and paste: ${reachable ? url : "https://…"}/v1`,
				`Choose "Add model", write ${model}, and turn it on.`,
				"Choose that model in the chat. What Cursor names itself (Auto, Tab) goes on through Cursor.",
			],
			...(!reachable && {
				blocked:
					"Cursor calls models from its own servers, which do not reach this address: it must be a public one, with https.",
			}),
			notes: [
				"Cursor's settings cannot be written from here, so nothing was changed in it. It needs a paid plan of Cursor's to name a model of your own.",
			],
		});
	},
};

/** Whether a stranger's server could call it: https, and no address that only this machine or network has. */
function isPublic(url: string): boolean {
	const { protocol, hostname } = new URL(url);
	return (
		protocol === "https:" &&
		hostname.includes(".") &&
		!/^(?:127|10|192\.168|169\.254|172\.(?:1[6-9]|2\d|3[01])|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\.|\.(?:local|internal|lan|localhost)$/.test(
			hostname,
		)
	);
}
