import type { Decider } from "../../kernel/decider.ts";
import type { JsonObject } from "../../kernel/event.ts";
import type { Signals } from "../learning/index.ts";
import type { Agreement } from "./agreement.ts";

/** What came of sending a call a second time; what that cost stands with the second call. */
export interface ShadowScored {
	/** The client's. */
	readonly call: string;
	readonly account: string;
	/** Who answered the client. */
	readonly substrate: string;
	readonly shadow: {
		readonly call: string;
		readonly account: string;
		readonly substrate: string;
	};
	/** What the second answer shows of itself. */
	readonly signals: Pick<Signals, "schema" | "tools">;
	/** Whether the one answer comes to the same as the other, as far as that can be told. */
	readonly agreement: Agreement;
	/** Thousandths, by a judge who saw both. */
	readonly judged?: { readonly call: string; readonly score: number };
}

export type ShadowCommand = { readonly type: "score-shadow" } & ShadowScored;

/** Keeps no state: what was recorded is found in the log, by its key. */
export const shadows: Decider<null, ShadowCommand> = {
	name: "shadows",
	format: 1,
	initial: () => null,
	recall: ({ call }) => [shadowKey(call)],
	decide({ type: _, ...data }, __, { recalled }) {
		const key = shadowKey(data.call);
		return {
			ok: true,
			events: recalled.has(key)
				? []
				: [
						{
							stream: key,
							type: "shadow-scored",
							data: data as unknown as JsonObject,
							key,
						},
					],
		};
	},
	evolve: (state) => state,
	save: () => null,
	load: () => null,
};

/** One shadow of a call, ever. */
function shadowKey(call: string): string {
	return `shadow/${call}`;
}
