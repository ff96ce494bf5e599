import { type DomainEvent, readEvent } from "../../kernel/event.ts";
import type { CatalogueSnapshot } from "../../ports/catalogue.ts";
import type { Digest } from "../../ports/digest.ts";
import type { EventLog } from "../../ports/event-log.ts";
import type { OwnerTable, Policy } from "./model.ts";
import { unpackCatalogue } from "./packed.ts";
import type { Profile, ProfileOf } from "./profile.ts";
import type { DecisionRecord, Inputs } from "./record.ts";
import {
	catalogueKey,
	policyIn,
	policyKey,
	type RoutingState,
	tableIn,
	tableKey,
} from "./recorded.ts";
import { readRouting, understoodPolicy, understoodTable } from "./settings.ts";
import { catalogueAt } from "./unlisted.ts";

export interface InForceNow {
	readonly catalogue: CatalogueSnapshot;
	readonly policy: Policy;
	readonly table: OwnerTable;
}

/** Where calls are told what they are decided by. */
export interface RoutingDesk {
	/**
	 * What calls are decided by at this moment. Policy and table are the newest in the log, and the default ones where
	 * it has none; cheap: no work when nothing changed.
	 */
	current(): InForceNow;
	profile(of: ProfileOf, id: string): Profile | undefined;
}

export function openDesk(options: {
	/** Of the head: live. */
	readonly state: () => RoutingState;
	readonly catalogue: CatalogueSnapshot;
	readonly digest: Digest;
}): RoutingDesk {
	const { state, catalogue, digest } = options;
	const defaults = readRouting(undefined, digest.text);
	let seen: Pick<RoutingState, "policy" | "table"> | undefined;
	let now: InForceNow | undefined;
	return {
		current() {
			const { policy, table } = state();
			if (now && seen?.policy === policy && seen?.table === table) return now;
			seen = { policy, table };
			now = {
				catalogue,
				policy: policy
					? understoodPolicy(policy.content, digest.text)
					: defaults.policy,
				table: table
					? understoodTable(table.content, digest.text)
					: defaults.table,
			};
			return now;
		},
		profile(of, id) {
			const { profiles } = state();
			return profiles.size === 0 ? undefined : profiles.get(`${of}/${id}`);
		},
	};
}

/** What records were decided from, out of the log. */
export interface RecordedInputs extends Inputs {
	/**
	 * Looks up what a record names; a promise only where the log must be asked. After it, `catalogue`, `policy` and
	 * `table` have it, or say that the log has no such version, or one that this program understands otherwise.
	 */
	look(record: DecisionRecord): Promise<void> | undefined;
}

export function recordedInputs(
	log: Pick<EventLog, "findByKey">,
	digest: Digest,
): RecordedInputs {
	const defaults = readRouting(undefined, digest.text);
	const catalogues = shelf(log, mostCatalogues, catalogueKey, (event) =>
		unpackCatalogue(event.data),
	);
	const policies = shelf(log, mostPolicies, policyKey, (event) =>
		understoodPolicy(policyIn(event).content, digest.text),
	);
	const tables = shelf(log, mostPolicies, tableKey, (event) =>
		understoodTable(tableIn(event).content, digest.text),
	);
	/** With what callers named beside the catalogue: made once for many records of the same. */
	const widened = new Map<string, CatalogueSnapshot>();
	// Decided before anything was recorded.
	policies.add(defaults.policy);
	tables.add(defaults.table);
	return {
		look(record) {
			const base = catalogueBase(record.catalogue);
			if (
				catalogues.has(base) &&
				policies.has(record.policy) &&
				tables.has(record.table)
			)
				return undefined;
			return Promise.all([
				catalogues.look(base),
				policies.look(record.policy),
				tables.look(record.table),
			]).then(() => {});
		},
		catalogue(version) {
			const known =
				widened.get(version) ?? catalogueAt(version, catalogues.get);
			if (known && known.version !== catalogueBase(version)) {
				if (widened.size >= mostPolicies) widened.clear();
				widened.set(version, known);
			}
			return known;
		},
		policy: policies.get,
		table: tables.get,
	};
}

/** A catalogue of hundreds of substrates is a megabyte. */
const mostCatalogues = 16;
const mostPolicies = 256;

/** The version that is in the log, without what a caller named beside it. */
function catalogueBase(version: string): string {
	let base = version;
	catalogueAt(version, (found) => {
		base = found;
		return undefined;
	});
	return base;
}

/** Contents by version, as the log has them; the first that were looked up go when there are too many. */
function shelf<Content extends { readonly version: string }>(
	log: Pick<EventLog, "findByKey">,
	most: number,
	keyOf: (version: string) => string,
	read: (event: DomainEvent) => Content,
): {
	has(version: string): boolean;
	get(version: string): Content | undefined;
	add(content: Content): void;
	look(version: string): Promise<void>;
} {
	/** Undefined for a version that the log does not have. */
	const found = new Map<string, Content | undefined>();
	function keep(version: string, content: Content | undefined): void {
		if (found.size >= most) {
			const [oldest] = found.keys();
			if (oldest !== undefined) found.delete(oldest);
		}
		found.set(version, content);
	}
	return {
		has: (version) => found.has(version),
		get: (version) => found.get(version),
		add: (content) => keep(content.version, content),
		async look(version) {
			if (found.has(version)) return;
			const [stored] = await log.findByKey([keyOf(version)]);
			const content = stored && read(readEvent(stored));
			keep(version, content?.version === version ? content : undefined);
		},
	};
}
