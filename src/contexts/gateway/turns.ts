import type { Decider } from "../../kernel/decider.ts";
import { type Refusal, refuse } from "../../kernel/outcome.ts";
import type { Turn } from "../../ports/wire-protocol.ts";

export type TurnCommand =
	| {
			readonly type: "keep";
			readonly account: string;
			readonly key: string | undefined;
			readonly call: string;
			readonly turn: Turn;
	  }
	| { readonly type: "forget"; readonly account: string; readonly id: string };

/** Keeps no state: what was kept is found in the log, by its key. */
export const turns: Decider<null, TurnCommand> = {
	name: "turns",
	format: 1,
	initial: () => null,
	recall: (command) =>
		command.type === "keep"
			? [keptKey(command.account, command.turn.id)]
			: [
					keptKey(command.account, command.id),
					forgottenKey(command.account, command.id),
				],
	decide(command, _, { recalled }) {
		const { account } = command;
		if (command.type === "keep") {
			const { turn, key, call } = command;
			if (recalled.has(keptKey(account, turn.id)))
				return refuse(
					"response/exists",
					`There is a response "${shorten(turn.id)}" already.`,
				);
			return {
				ok: true,
				events: [
					{
						stream: streamOf(account, turn.id),
						type: "response-stored",
						data: {
							account,
							...(key !== undefined && { key }),
							call,
							id: turn.id,
							...(turn.previous !== undefined && { previous: turn.previous }),
							record: turn.record,
						},
						key: keptKey(account, turn.id),
					},
				],
			};
		}
		const { id } = command;
		if (
			!recalled.has(keptKey(account, id)) ||
			recalled.has(forgottenKey(account, id))
		)
			return unknownTurn(id);
		return {
			ok: true,
			events: [
				{
					stream: streamOf(account, id),
					type: "response-deleted",
					data: { account, id },
					key: forgottenKey(account, id),
				},
			],
		};
	},
	evolve: (state) => state,
	save: () => null,
	load: () => null,
};

export function unknownTurn(id: string): {
	readonly ok: false;
	readonly error: Refusal;
} {
	return refuse(
		"response/unknown",
		`There is no response "${shorten(id)}". It was not stored (\`store: false\`), was deleted, or belongs to another account.`,
	);
}

function streamOf(account: string, id: string): string {
	return `response/${account}/${id}`;
}

export function keptKey(account: string, id: string): string {
	return `response/${account}/${id}`;
}

export function forgottenKey(account: string, id: string): string {
	return `response-deleted/${account}/${id}`;
}

export function shorten(id: string): string {
	return id.length > 100 ? `${id.slice(0, 100)}…` : id;
}
