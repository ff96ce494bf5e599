import {
	accept,
	type Outcome,
	type Refusal,
	refuse,
} from "../../kernel/outcome.ts";
import type { CatalogueSnapshot } from "../../ports/catalogue.ts";
import type { Crossings, Passage } from "../../ports/crossing.ts";
import type { PriceSheet } from "../../ports/price-book.ts";
import type {
	MediaOrder,
	WireOperation,
	WireProtocol,
	WireRequest,
} from "../../ports/wire-protocol.ts";
import { allowsModel, type Scopes } from "../credits/index.ts";
import type { Head } from "../log/index.ts";
import {
	type Asked,
	createRouter,
	type Decision,
	type DosField,
	infer,
	joinNeeds,
	type Profile,
	type RouteRequest,
	type RoutingDesk,
	readAsked,
	readDosField,
	readNeedsHeader,
	readResumeHeader,
	refusalOf,
	type StatedNeeds,
	withUnlisted,
} from "../routing/index.ts";
import type { Caller } from "./access.ts";
import { type HoldSize, sizeHold } from "./hold-size.ts";
import type { HoldRules, LedgerDeciders } from "./model.ts";
import { unknownOrderPrice } from "./orders.ts";
import { type Expected, expect, type SizingState } from "./sizing.ts";
import { straight } from "./straight.ts";
import type { Substrate, Substrates } from "./substrates.ts";
import type { Vitals } from "./vitals.ts";

/** One way to answer a call: a substrate that its decision allows, and what it takes to ask it. */
export interface Leg {
	readonly substrate: Substrate;
	/** What its model is called, by its vendor and by others. */
	readonly names: readonly string[];
	readonly passage: Passage;
	readonly sheet: PriceSheet;
	readonly expected: Expected;
	readonly size: HoldSize;
	/** To hold for it: its size, or less where the caller bounds the cost. */
	readonly amount: number;
}

/** What became of one try: `ok`; `overload http/503`, a class of errors and a code; `passed price/unknown`: nothing was sent. */
export type AttemptMade = readonly [
	substrate: string,
	ending: string,
	/** Milliseconds. */
	took: number,
];

/** A request of a client's, as far as it was read. */
export interface Question {
	readonly call: string;
	readonly wire: WireProtocol;
	readonly operation: WireOperation;
	readonly asked: WireRequest;
	readonly caller: Caller;
	/** Needs that stand in the headers. */
	readonly needs: string | undefined;
	readonly session: string | undefined;
	/** What the headers say of a stream that breaks off. */
	readonly resume?: string | undefined;
	/** The answer that it goes on from. */
	readonly previous: string | undefined;
	readonly now: number;
}

/** What is decided in place of what a request asks for. */
export interface Instead {
	readonly name: string;
	/** What it is done for now. Absent: the same. */
	readonly callType?: string | undefined;
}

/** Decides where calls may go. */
export interface Plans {
	/**
	 * Refuses as `Substrates.find` does, with `request/invalid` (needs), `route/no-eligible-substrate`, `key/forbidden`,
	 * `account/forbidden`.
	 * With `instead`, the same request is decided for that name in place of its own, in no session and with no cache:
	 * every filter stands, and a key that may use the one name has to be allowed the other too.
	 */
	plan(question: Question, instead?: Instead): Outcome<Plan>;
	/** A session was answered there: its prompt is cached. */
	answered(session: string, substrate: string): void;
}

interface PlanTools {
	readonly substrates: Substrates;
	readonly crossings: Crossings;
	readonly head: Head<LedgerDeciders>;
	readonly holds: HoldRules;
}

/** Worlds that are remembered, and as many for models that no catalogue lists. */
const worlds = 32;
const mostSessions = 10_000;
const mostNames = 2_000;

export function openPlans(
	tools: PlanTools & { readonly desk: RoutingDesk; readonly vitals: Vitals },
): Plans {
	const { desk, vitals, substrates, head } = tools;
	const router = createRouter({ worlds });
	const sessions = new Map<string, string>();
	/** What names mean under one catalogue and table. */
	let meanings = new Map<string, Outcome<Meant>>();
	let meantUnder: readonly unknown[] = [];
	let seed = 0;

	function meaning(
		name: string,
		protocol: string,
		means: WireOperation["means"],
		{ catalogue, table }: ReturnType<RoutingDesk["current"]>,
	): Outcome<Meant> {
		if (meantUnder[0] !== catalogue || meantUnder[1] !== table) {
			meanings = new Map();
			meantUnder = [catalogue, table];
		}
		const key = `${protocol} ${means} ${name}`;
		let meant = meanings.get(key);
		if (!meant) {
			meant = read();
			if (meanings.size < mostNames && name.length < 200)
				meanings.set(key, meant);
		}
		return meant;

		function read(): Outcome<Meant> {
			const target = substrates.aliased(name);
			const listed = readAsked(target, catalogue, table);
			if (
				listed.ok &&
				listed.value.kind !== "substrate" &&
				(!substrates.onlyStandIn || someOn(catalogue, substrates))
			)
				return accept({ asked: listed.value, catalogue });
			const found = substrates.find(name, protocol, means);
			if (!found.ok) return found;
			const { id, vendor, model } = found.value;
			return accept({
				asked: { kind: "substrate", id },
				catalogue: catalogue.substrates.some((each) => each.id === id)
					? catalogue
					: withUnlisted(catalogue, vendor.id, model),
			});
		}
	}

	return {
		plan(question, instead) {
			const { wire, operation, asked, caller } = question;
			const inForce = desk.current();
			const name = instead?.name ?? asked.model;
			const meant = meaning(name, wire.id, operation.means, inForce);
			if (!meant.ok) return meant;
			const { key, account } = caller;
			const ofKey = desk.profile("key", key.id);
			const ofAccount = desk.profile("account", account.id);
			const profiles = those(ofKey, ofAccount);
			const stated = statedNeeds(question, profiles);
			if (!stated.ok) return stated;
			const { needs, cache, shadow, resume } = stated.value;
			const session = instead === undefined ? stated.value.session : undefined;
			const modelsNow = () =>
				head.state("credits").accounts.get(account.id)?.models;
			const models = modelsNow();
			const rights = rightsOf(key.scopes, name);
			const accountRights = rightsOf({ models }, name);
			const unreachable = substrates.unreachable(wire.id, operation.means);
			const inSession =
				session === undefined ? undefined : `${account.id}/${session}`;
			const sticky =
				inSession === undefined ? undefined : sessions.get(inSession);
			const budget = budgetOf(caller, meant.value.asked);
			if (instead === undefined) seed = (seed + 1) % 0x7fff_ffff;
			const request: RouteRequest = {
				asked: meant.value.asked,
				account: account.id,
				key: key.id,
				...taggedBy(profiles),
				...(rights && { rights: [rights] }),
				...(accountRights && { accountRights }),
				...(unreachable.length > 0 && { unreachable }),
				stated:
					instead?.callType === undefined
						? needs
						: joinNeeds([{ callType: instead.callType }, needs]),
				inferred: infer(wire.traits(asked)),
				...(budget !== undefined && { budget }),
				...(sticky !== undefined && { sticky }),
				seed,
			};
			const { catalogue } = meant.value;
			const bringsTheSame = (): boolean =>
				modelsNow() === models &&
				desk.profile("key", key.id) === ofKey &&
				desk.profile("account", account.id) === ofAccount;
			const requestNow = (): RouteRequest => {
				if (bringsTheSame()) return request;
				const others = those(
					desk.profile("key", key.id),
					desk.profile("account", account.id),
				);
				const joined = statedNeeds(question, others);
				const { tags: _, accountRights: __, ...rest } = request;
				const accountRights = rightsOf({ models: modelsNow() }, name);
				return {
					...rest,
					...(accountRights && { accountRights }),
					...taggedBy(others),
					stated: joined.ok ? joined.value.needs : needs,
				};
			};
			const decide = (at: number): Decision => {
				const { policy, table } = desk.current();
				return router.decide(
					requestNow(),
					catalogue,
					policy,
					vitals.snapshot(),
					table,
					at,
				);
			};
			const { policy, table } = inForce;
			const isCurrent = (at: number, { until }: Decision): boolean => {
				const current = desk.current();
				return (
					at < until &&
					current.policy === policy &&
					current.table === table &&
					bringsTheSame()
				);
			};
			return accept(
				new Plan(tools, vitals, question, decide, isCurrent, {
					session: inSession,
					cache: instead === undefined ? cache : undefined,
					shadow: instead === undefined && shadow,
					resume: instead === undefined && resume,
				}),
			);
		},
		answered(session, substrate) {
			sessions.delete(session);
			if (sessions.size >= mostSessions)
				sessions.delete(sessions.keys().next().value as string);
			sessions.set(session, substrate);
		},
	};
}

/** What a name stands for, in the catalogue that it was looked up in. */
interface Meant {
	readonly asked: Asked;
	readonly catalogue: CatalogueSnapshot;
}

/** Where one call may go: walks down the order of its decision, and there is nowhere else to walk. */
export class Plan {
	readonly decision: Decision;
	/** Names the session for `answered`. */
	readonly session: string | undefined;
	/** Milliseconds that an answer given before may be given again; undefined: none may. */
	readonly cache: number | undefined;
	/** Whether it may be sent a second time, to another model. */
	readonly shadow: boolean;
	/** Whether another may go on with a stream that breaks off. */
	readonly resume: boolean;
	readonly question: Question;
	/** What was tried or passed over, in order. */
	attempts: AttemptMade[] = [];
	readonly #tools: PlanTools;
	readonly #vitals: Vitals;
	readonly #decide: (at: number) => Decision;
	readonly #isCurrent: (at: number, decision: Decision) => boolean;
	#at = 0;
	/** Passed over because they rest: asked when nothing else is left. */
	readonly #resting: Leg[] = [];
	#peeked: Leg | undefined;
	#first: Refusal | undefined;
	/** The plan that this one goes on with, and what of its order is left. */
	#begun: Plan | undefined;
	#left: Decision["order"] | undefined;

	constructor(
		tools: PlanTools,
		vitals: Vitals,
		question: Question,
		decide: (at: number) => Decision,
		isCurrent: (at: number, decision: Decision) => boolean,
		{
			session,
			cache,
			shadow,
			resume,
		}: Pick<Plan, "session" | "cache" | "shadow" | "resume">,
	) {
		this.#tools = tools;
		this.#vitals = vitals;
		this.question = question;
		this.#decide = decide;
		this.#isCurrent = isCurrent;
		this.decision = decide(question.now);
		this.session = session;
		this.cache = cache;
		this.shadow = shadow;
		this.resume = resume;
	}

	/**
	 * Goes on with another plan of the same call's, in its order: where that may still go, and its own decision allows it
	 * too. What it tries is noted with what that tried. Before anything was taken from it.
	 */
	goOn(begun: Plan): void {
		const allowed = new Map(
			this.decision.order.map((choice) => [choice.facts.id, choice]),
		);
		this.#left = begun
			.#notAsked()
			.flatMap((substrate) => allowed.get(substrate) ?? []);
		this.#begun = begun;
		this.attempts = begun.attempts;
	}

	#notAsked(): readonly string[] {
		const resting = new Set(this.#resting.map(({ substrate }) => substrate.id));
		if (this.#peeked) resting.add(this.#peeked.substrate.id);
		return (this.#left ?? this.decision.order)
			.map(({ facts }) => facts.id)
			.filter((id, at) => at >= this.#at || resting.has(id));
	}

	/** The next that can be asked; undefined when none is left. */
	next(): Leg | undefined {
		const leg = this.peek();
		this.#peeked = undefined;
		return leg;
	}

	/** The same, which stays the next. */
	peek(): Leg | undefined {
		this.#peeked ??= this.#find();
		return this.#peeked;
	}

	#find(): Leg | undefined {
		const order = this.#left ?? this.decision.order;
		while (this.#at < order.length) {
			const leg = this.#fit(this.#at++);
			if (!leg) continue;
			// The last of all is asked even so: nobody is refused a call because of a guess.
			const others = this.#at < order.length || this.#resting.length > 0;
			if (!others || this.#vitals.mayCall(leg.substrate.id)) return leg;
			this.#resting.push(leg);
			this.pass(leg.substrate.id, "route/resting");
		}
		return this.#resting.shift();
	}

	/** Whether it may be asked at this moment too: since it was decided, a posture may have come into force, another policy, or what its key and account bring. */
	allows(leg: Leg, now: number): boolean {
		if (this.#begun?.allows(leg, now) === false) return false;
		const { substrate } = leg;
		return (
			this.#isCurrent(now, this.decision) ||
			this.#decide(now).order.some(({ facts }) => facts.id === substrate.id)
		);
	}

	/** Notes that one was not asked, and why. */
	pass(substrate: string, code: string): void {
		this.attempts.push([substrate, `passed ${code}`, 0]);
	}

	/** Why none could be asked. */
	refusal(): Refusal {
		const { decision } = this;
		if (this.#first) return this.#first;
		const none = refusalOf(decision) as Refusal;
		const { asked, account, key } = decision.request;
		if (asked.kind !== "substrate") return none;
		const why = decision
			.dropped()
			.find(({ substrate }) => substrate === asked.id);
		const { model } = this.question.asked;
		if (why?.filter === "rights")
			return {
				code: "key/forbidden",
				message: "This key may not use this model.",
				details: { key, model },
			};
		if (why?.filter === "account")
			return {
				code: "account/forbidden",
				message: "This account may not use this model.",
				details: { account, model },
			};
		return none;
	}

	#fit(at: number): Leg | undefined {
		const order = this.#left ?? this.decision.order;
		const choice = order[at] as Decision["order"][number];
		const { id, vendor, model, name } = choice.facts;
		// Facts of one place say nothing of the place that the vendor's address leads to.
		const leg =
			id === `${vendor}/${model}`
				? this.#leg(vendor, model, [model, name])
				: refuse(
						"model/no-region",
						`${id} has no address of its own here: give its region a vendor of its own under vendors: in config.yaml.`,
					);
		if (leg.ok) return leg.value;
		this.#first ??= leg.error;
		this.pass(id, leg.error.code);
		return undefined;
	}

	#leg(
		vendorId: string,
		model: string,
		names: readonly string[],
	): Outcome<Leg> {
		const { substrates, head, holds, crossings } = this.#tools;
		const { wire, operation, asked, caller, now, call, previous } =
			this.question;
		const reached = substrates.reach(vendorId, model, wire.id, operation.means);
		if (!reached.ok) return reached;
		const substrate = reached.value;
		const priced = priceOf(
			substrates,
			substrate,
			asked,
			head.state("sizing"),
			caller.key.id,
			holds.outputCeiling,
			now,
		);
		if (!priced.ok) return priced;
		const { sheet, size, expected } = priced.value;
		const { costCeiling } = this.decision.request.stated;
		if (costCeiling !== undefined && size.atLeast > costCeiling)
			return refuse(
				"route/cost-ceiling",
				`${substrate.id} may take ${size.atLeast} micro-credits for this, and ${costCeiling} are the most that was allowed. Allow more, or ask for less.`,
				{ substrate: substrate.id, needed: size.atLeast, costCeiling },
			);
		const change = {
			model: substrate.model,
			outputLimit: size.outputLimit,
			quirks: substrate.vendor.quirks,
		};
		const passage =
			substrate.protocol === wire.id
				? accept(straight(wire, operation, asked, change))
				: crossings.open({
						wire,
						operation,
						request: asked,
						vendor: substrate.protocol,
						change,
						naming: {
							call,
							model: asked.model,
							time: now,
							...(previous !== undefined && { previous }),
						},
					});
		if (!passage.ok) return passage;
		return accept({
			substrate,
			names,
			passage: passage.value,
			sheet,
			expected,
			size,
			amount: Math.min(size.amount, costCeiling ?? size.amount),
		});
	}
}

/** What a call to a substrate would be held for. Refuses with `price/unknown` and `price/unknown-class`. */
function priceOf(
	substrates: Substrates,
	substrate: Substrate,
	asked: WireRequest,
	sizing: SizingState,
	key: string,
	outputCeiling: number | undefined,
	now: number,
): Outcome<{
	readonly sheet: PriceSheet;
	readonly size: HoldSize;
	readonly expected: Expected;
}> {
	const sheet = substrates.sheet(substrate, now);
	if (!sheet) {
		if (asked.order) return unknownOrder(asked.order, substrate);
		return refuse(
			"price/unknown",
			`No price is known for ${substrate.id}, and nothing is called at an unknown price. Add a row under prices: in config.yaml, or a ceiling price.`,
			{ substrate: substrate.id },
		);
	}
	const expected = expect(
		sizing,
		key,
		substrate.id,
		asked.inputBytes,
		asked.mediaParts,
	);
	const size = sizeHold(sheet, asked, expected, outputCeiling);
	if (size.ok) return accept({ sheet, size: size.value, expected });
	return asked.order && size.error.code === "price/unknown-class"
		? unknownOrder(asked.order, substrate)
		: size;
}

function unknownOrder(
	order: MediaOrder,
	{ vendor, model }: Substrate,
): { readonly ok: false; readonly error: Refusal } {
	return { ok: false, error: unknownOrderPrice(order, vendor.id, model) };
}

/** What the caller says in the body and in the headers, its key and its account: all of it is kept. */
function statedNeeds(
	{ asked, needs, session, resume }: Question,
	profiles: readonly Profile[],
): Outcome<Stated> {
	// Sessions are remembered by their names.
	if (session !== undefined && !(session.length >= 1 && session.length <= 200))
		return refuse(
			"request/invalid",
			"x-dos-session: a session's name has 1 to 200 characters.",
			{ field: "x-dos-session" },
		);
	const goesOn = resume === undefined ? notAllowed : readResumeHeader(resume);
	if (!goesOn.ok) return goesOn;
	if (asked.dos === undefined && needs === undefined && profiles.length === 0)
		return accept({
			needs: none,
			session,
			cache: undefined,
			shadow: true,
			resume: goesOn.value,
		});
	const said = asked.dos === undefined ? nothingSaid : readDosField(asked.dos);
	if (!said.ok) return said;
	const headed = needs === undefined ? accept(none) : readNeedsHeader(needs);
	if (!headed.ok) return headed;
	return accept({
		needs: joinNeeds([
			said.value.needs,
			headed.value,
			...profiles.flatMap((profile) => profile.needs ?? []),
		]),
		session: said.value.session ?? session,
		cache:
			said.value.cache === false
				? undefined
				: profiles.find(({ cache }) => cache !== undefined)?.cache,
		shadow:
			said.value.shadow !== false &&
			profiles.every(({ shadow }) => shadow !== false),
		resume: goesOn.value || said.value.resume === true,
	});
}

interface Stated {
	readonly needs: StatedNeeds;
	readonly session: string | undefined;
	readonly cache: number | undefined;
	readonly shadow: boolean;
	readonly resume: boolean;
}

function those(
	ofKey: Profile | undefined,
	ofAccount: Profile | undefined,
): readonly Profile[] {
	if (ofKey === undefined && ofAccount === undefined) return noProfiles;
	return [ofKey, ofAccount].filter((profile) => profile !== undefined);
}

const noProfiles: readonly Profile[] = [];

function taggedBy(profiles: readonly Profile[]): Pick<RouteRequest, "tags"> {
	if (profiles.length === 0) return {};
	const tags = new Set(profiles.flatMap(({ tags }) => tags ?? []));
	return tags.size > 0 ? { tags: [...tags] } : {};
}

/** Who may use a name may use what that stands for; else what it may use are substrates and models. */
function rightsOf(
	may: Pick<Scopes, "models">,
	name: string,
): readonly string[] | undefined {
	return allowsModel(may, name) ? undefined : may.models;
}

/** The largest hold that key and account allow one call, where the router chooses. */
function budgetOf({ key, account }: Caller, asked: Asked): number | undefined {
	if (asked.kind === "substrate") return undefined;
	const { request: ofKey } = key.caps;
	const { request: ofAccount } = account.caps;
	if (ofKey === undefined || ofAccount === undefined) return ofKey ?? ofAccount;
	return Math.min(ofKey, ofAccount);
}

function someOn(
	{ substrates: rows }: CatalogueSnapshot,
	substrates: Substrates,
): boolean {
	return rows.some(({ vendor }) => substrates.isOn(vendor));
}

const none: StatedNeeds = {};
const notAllowed: Outcome<boolean> = accept(false);
const nothingSaid: Outcome<DosField> = accept({ needs: none });
