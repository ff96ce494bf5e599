import type { CreditsState } from "../contexts/credits/index.ts";
import type { Config } from "./config.ts";

/** What of the shadows in the settings cannot work, a sentence each. */
export function shadowFindings(
	{ shadow }: Pick<Config, "shadow">,
	{ accounts }: Pick<CreditsState, "accounts">,
): readonly string[] {
	return shadow.flatMap(({ to, account }) =>
		accounts.has(account)
			? []
			: [
					`the account "${account}" that pays for shadows to ${to} is not there, so none is sent. Name one under shadow: in config.yaml that is.`,
				],
	);
}
