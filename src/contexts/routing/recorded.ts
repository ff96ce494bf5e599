import type { Decider, KeyedDraft } from "../../kernel/decider.ts";
import type { DomainEvent, JsonObject } from "../../kernel/event.ts";
import { refuse } from "../../kernel/outcome.ts";
import type { CatalogueSnapshot } from "../../ports/catalogue.ts";
import type { OwnerTable, Policy } from "./model.ts";
import { packCatalogue } from "./packed.ts";
import { type Profile, type ProfileOf, readProfile } from "./profile.ts";
import type { DecisionRecord } from "./record.ts";

/** Who a policy or table is by. What nobody said gives way to what somebody said, and never the other way round. */
export type SaidBy = "owner" | "defaults";

export type RoutingCommand =
	| { readonly type: "record-catalogue"; readonly catalogue: CatalogueSnapshot }
	| {
			readonly type: "record-policy";
			readonly policy: Policy;
			readonly by: SaidBy;
	  }
	| {
			readonly type: "record-table";
			readonly table: OwnerTable;
			readonly by: SaidBy;
	  }
	| {
			readonly type: "set-profile";
			readonly of: ProfileOf;
			readonly id: string;
			/** Absent: none any more. */
			readonly profile?: Profile;
	  }
	| {
			readonly type: "refuse-route";
			readonly call: string;
			readonly account: string;
			readonly key?: string;
			readonly route: DecisionRecord;
			/** Refusals of this key's calls since the one that was recorded before, which were not. */
			readonly unrecorded?: number;
	  };

/** What of routing must be at hand for every call. Policy and table are in force everywhere once they stand here. */
export interface RoutingState {
	policy: InForceSince<Policy> | undefined;
	table: InForceSince<OwnerTable> | undefined;
	/** Version of the catalogue that was recorded last. */
	catalogue: string | undefined;
	/** By `key/<id>` and `account/<id>`. */
	readonly profiles: Map<string, Profile>;
}

/** As it was recorded: another record is another object. */
export interface InForceSince<Content> {
	readonly content: Content;
	readonly by: SaidBy;
	/** Of the event, milliseconds since 1970 UTC. */
	readonly since: number;
}

/**
 * Catalogues, policies and tables by version, profiles, and refused calls. They are recorded whole and as they were
 * understood, defaults included, so that a later program that would read the same settings otherwise still decides
 * and replays by what was in force. A version's content stands under its key for ever.
 */
export const routing: Decider<RoutingState, RoutingCommand> = {
	name: "routing",
	format: 1,
	initial: () => ({
		policy: undefined,
		table: undefined,
		catalogue: undefined,
		profiles: new Map(),
	}),

	recall(command) {
		if (command.type === "record-catalogue")
			return [catalogueKey(command.catalogue.version)];
		if (command.type === "record-policy")
			return [policyKey(command.policy.version)];
		if (command.type === "record-table")
			return [tableKey(command.table.version)];
		return [];
	},

	decide(command, state, { recalled }) {
		switch (command.type) {
			case "record-catalogue": {
				const { catalogue } = command;
				const key = catalogueKey(catalogue.version);
				return recalled.has(key)
					? nothing
					: record(
							catalogueStream,
							"catalogue-recorded",
							packCatalogue(catalogue),
							key,
						);
			}
			case "record-policy": {
				const { policy, by } = command;
				if (isSettled(state.policy, policy.version, by)) return nothing;
				const key = policyKey(policy.version);
				return record(
					policyStream,
					"policy-recorded",
					{ ...policy, by },
					recalled.has(key) ? undefined : key,
				);
			}
			case "record-table": {
				const { table, by } = command;
				if (isSettled(state.table, table.version, by)) return nothing;
				const key = tableKey(table.version);
				return record(
					tableStream,
					"table-recorded",
					{ ...table, by },
					recalled.has(key) ? undefined : key,
				);
			}
			case "set-profile": {
				const { of, id, profile } = command;
				if (profile !== undefined) {
					const read = readProfile(profile);
					if (typeof read === "string")
						return refuse(
							"route/invalid",
							`The profile cannot be set: ${read}.`,
						);
				}
				return record(`routing/profile/${of}/${id}`, "profile-set", {
					of,
					id,
					...(profile && { profile }),
				});
			}
			case "refuse-route": {
				const { call, account, key, route, unrecorded } = command;
				return record(
					`routing/refused/${account}`,
					"route-refused",
					{
						call,
						account,
						...(key !== undefined && { key }),
						route,
						...(unrecorded !== undefined && { unrecorded }),
					},
					refusedKey(call),
				);
			}
		}
	},

	evolve(state, event) {
		switch (event.type) {
			case "catalogue-recorded":
				state.catalogue = String(event.data.version);
				break;
			case "policy-recorded":
				state.policy = { ...policyIn(event), ...sinceOf(event) };
				break;
			case "table-recorded":
				state.table = { ...tableIn(event), ...sinceOf(event) };
				break;
			case "profile-set": {
				const { of, id, profile } = event.data as {
					of: ProfileOf;
					id: string;
					profile?: Profile;
				};
				if (profile) state.profiles.set(`${of}/${id}`, profile);
				else state.profiles.delete(`${of}/${id}`);
				break;
			}
		}
		return state;
	},

	save: ({ policy, table, catalogue, profiles }): SavedState => ({
		policy,
		table,
		catalogue,
		profiles: [...profiles],
	}),

	load(saved) {
		const { policy, table, catalogue, profiles } = saved as SavedState;
		return { policy, table, catalogue, profiles: new Map(profiles) };
	},
};

export const catalogueStream = "routing/catalogue";
export const policyStream = "routing/policy";
export const tableStream = "routing/table";

export function catalogueKey(version: string): string {
	return `catalogue/${version}`;
}

export function policyKey(version: string): string {
	return `policy/${version}`;
}

export function tableKey(version: string): string {
	return `table/${version}`;
}

/** The idempotency key under which the log keeps the decision of a call that nothing could answer. */
export function refusedKey(call: string): string {
	return `route-refused/${call}`;
}

/** The policy of a `policy-recorded` event, as it was recorded. */
export function policyIn({ data }: Pick<DomainEvent, "data">): {
	readonly content: Policy;
} {
	const { version, classes, postures, broken } = data as unknown as Policy;
	return { content: { version, classes, postures, broken } };
}

/** The table of a `table-recorded` event, as it was recorded. */
export function tableIn({ data }: Pick<DomainEvent, "data">): {
	readonly content: OwnerTable;
} {
	const { by: _, ...content } = data as unknown as OwnerTable & { by: SaidBy };
	return { content };
}

function sinceOf({ data, time }: DomainEvent): {
	readonly by: SaidBy;
	readonly since: number;
} {
	return { by: data.by as SaidBy, since: time };
}

/** Whether nothing needs to be recorded: it stands there already, or somebody said something else and nobody this. */
function isSettled(
	known: InForceSince<{ readonly version: string }> | undefined,
	version: string,
	by: SaidBy,
): boolean {
	if (!known) return false;
	if (by === "defaults" && known.by === "owner") return true;
	return known.content.version === version && known.by === by;
}

const nothing: { readonly ok: true; readonly events: readonly KeyedDraft[] } = {
	ok: true,
	events: [],
};

function record(
	stream: string,
	type: string,
	data: object,
	key?: string,
): { readonly ok: true; readonly events: readonly KeyedDraft[] } {
	const draft: KeyedDraft = { stream, type, data: data as JsonObject };
	return { ok: true, events: [key === undefined ? draft : { ...draft, key }] };
}

interface SavedState extends Omit<RoutingState, "profiles"> {
	readonly profiles: readonly (readonly [string, Profile])[];
}
