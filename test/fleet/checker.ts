/**
 * Says whether what clients saw of balances can have happened one after the other: linearizability.
 *
 * Written apart from the code it checks, from its promises alone: it imports nothing of it.
 *
 * Each operation took place at one instant between its start and its end, or perhaps never, where its client
 * heard no outcome. In that order: a hold takes what is available and no more; a refused hold was more than was
 * available; a hold is resolved once, for at most what it held; a read shows the sums of that instant. Accounts
 * do not touch each other, so each is decided by itself, in three ways, the quickest first:
 *
 * 1. An order that somebody claims is tried whole ({@link explains}). Where it fits, it is the proof.
 * 2. What was seen is held against all that may have come before it ({@link contradicts}). What no choice explains,
 *    no order does.
 * 3. An order is looked for ({@link linearize}), without a look at what was claimed.
 */

/** What a client did, and what it was told. Amounts are whole numbers, times those of one clock. */
export type Operation = {
	readonly client: string;
	readonly account: string;
	readonly start: number;
	/** Infinity where no answer came. */
	readonly end: number;
	/**
	 * Its place in the order that somebody claims, as a log does. Believed in nothing: an order that fits what every
	 * client saw is one, whoever names it; one that does not shows nothing.
	 */
	readonly hint?: number;
} & (
	| {
			readonly type: "grant";
			readonly amount: number;
			readonly outcome: "done" | "unknown";
	  }
	| {
			readonly type: "hold";
			readonly hold: string;
			readonly amount: number;
			readonly outcome: "held" | "refused" | "unknown";
	  }
	| {
			/** Settled for `amount`; a release settles for 0. `resolved`: it was told that another had done it. */
			readonly type: "settle";
			readonly hold: string;
			readonly amount: number;
			readonly outcome: "settled" | "resolved" | "unknown";
	  }
	| {
			readonly type: "read";
			readonly granted: number;
			readonly held: number;
			readonly spent: number;
			readonly outcome: "seen";
	  }
);

export interface AccountStart {
	readonly account: string;
	readonly granted: number;
	/** Most that may be spent and held together, whatever was granted. */
	readonly cap?: number;
	readonly spent?: number;
	/** Open holds, and those that are resolved (`undefined`). */
	readonly holds?: ReadonlyMap<string, number | undefined>;
}

export type Verdict =
	| { readonly verdict: "linearizable"; readonly operations: number }
	| {
			readonly verdict: "broken";
			/** Where the account stood before the counterexample. */
			readonly from: AccountStart;
			/** The smallest part found that can have no order either, by start. */
			readonly counterexample: readonly Operation[];
			/** About the operation for which there was no place. */
			readonly why: string;
	  }
	/** There are more orders than it was allowed to try. This is no pass. */
	| { readonly verdict: "undecided"; readonly account: string };

export function checkBalances(
	history: readonly Operation[],
	accounts: readonly AccountStart[],
	options: { readonly steps?: number } = {},
): Verdict {
	const steps = options.steps ?? 200_000;
	const byAccount = new Map<string, Operation[]>(
		accounts.map(({ account }) => [account, []]),
	);
	for (const operation of history) {
		const { account, client, start, end } = operation;
		const own = byAccount.get(account);
		if (!own) throw new Error(`No limits were given for account ${account}.`);
		if (!(start <= end))
			throw new Error(`An operation of ${client} ended before it began.`);
		own.push(operation);
	}
	let undecided: string | undefined;
	for (const from of accounts) {
		const all = byAccount.get(from.account) as readonly Operation[];
		if (explains(all, from)) continue;
		const own = withoutMoot(all);
		const acts = own.filter((operation) => !observes(operation));
		const search: Refutation = (part, from) => {
			const found = linearize(part, from, steps);
			return found.ok === false ? found.why : undefined;
		};
		const impossible = own.find((one) => contradicts(acts, one, from));
		let small: Counterexample | undefined;
		if (impossible)
			small = shrink(
				observes(impossible) ? [...acts, impossible] : acts,
				from,
				(part, from) =>
					part.includes(impossible)
						? contradicts(
								part.filter((one) => !observes(one)),
								impossible,
								from,
							)
						: undefined,
			);
		// What was given and resolved has few orders to try as long as nobody looks.
		else if (search(acts, from)) small = shrink(acts, from, search);
		else {
			const found = linearize(own, from, steps);
			if (found.ok) continue;
			if (found.ok === false) small = shrink(own, from, search);
		}
		if (small) return { verdict: "broken", ...small };
		undecided ??= from.account;
	}
	return undecided === undefined
		? { verdict: "linearizable", operations: history.length }
		: { verdict: "undecided", account: undecided };
}

/** Leaves out what nobody heard of and cannot have happened, as another was told that it had done it. */
function withoutMoot(history: readonly Operation[]): readonly Operation[] {
	const told = new Set<string>();
	for (const { type, outcome, ...one } of history)
		if (outcome === "held" || outcome === "settled")
			told.add(`${type} ${"hold" in one ? one.hold : ""}`);
	return history.filter(
		(one) =>
			one.outcome !== "unknown" ||
			one.type === "grant" ||
			!told.has(`${one.type} ${one.hold}`),
	);
}

/** Why a history has no order; undefined where that was not found out. */
type Refutation = (
	history: readonly Operation[],
	from: AccountStart,
) => string | undefined;

interface Counterexample {
	readonly from: AccountStart;
	readonly counterexample: readonly Operation[];
	readonly why: string;
}

/**
 * Takes away what is not needed, by steps after which the smaller history is broken only if the larger is:
 * - An operation that changes nothing: whatever the order was, its place in it is left empty.
 * - What came after a moment; what was under way then has no outcome yet.
 * - What came before a moment at which nothing was under way: the account stood then where the sums say.
 * - A hold with all that resolves it, where no refusal and no read is left: without it, others find more.
 *
 * Undefined when nothing could be shown to be broken within the steps.
 */
function shrink(
	history: readonly Operation[],
	account: AccountStart,
	refute: Refutation,
): Counterexample | undefined {
	let best: Counterexample | undefined;
	function broken(part: readonly Operation[], from: AccountStart): boolean {
		const why = refute(part, from);
		if (why === undefined) return false;
		const counterexample = part.toSorted(
			(one, other) => one.start - other.start,
		);
		best = { from, counterexample, why };
		return true;
	}
	/** Large pieces first, then single ones. */
	function without(
		part: readonly Operation[],
		from: AccountStart,
		groups: readonly (readonly Operation[])[],
	): readonly Operation[] {
		let rest = part;
		for (let size = groups.length; size >= 1; size = size >> 1) {
			for (let at = 0; at < groups.length; at += size) {
				const gone = new Set(groups.slice(at, at + size).flat());
				const less = rest.filter((operation) => !gone.has(operation));
				if (less.length < rest.length && broken(less, from)) rest = less;
			}
		}
		return rest;
	}

	const observed = history.filter(observes).map((operation) => [operation]);
	let part = without(history, account, observed);
	if (!best && !broken(part, account)) return undefined;

	const ends = [...new Set(part.map(({ end }) => end))]
		.filter(Number.isFinite)
		.sort((one, other) => one - other);
	let [low, high] = [0, ends.length - 1];
	while (low < high) {
		const middle = (low + high) >> 1;
		if (broken(upTo(part, ends[middle] as number), account)) high = middle;
		else low = middle + 1;
	}
	const beginning = upTo(part, ends[low] ?? Number.POSITIVE_INFINITY);
	if (broken(beginning, account)) part = beginning;

	let from = account;
	const quiet = quietMoments(part);
	for (const moment of quiet.reverse()) {
		const before = part.filter(({ end }) => end <= moment);
		const after = part.filter(({ end }) => end > moment);
		const stood = standing(account, before);
		if (!broken(after, stood)) continue;
		[part, from] = [after, stood];
		break;
	}
	if (!part.some(observes)) {
		const holds = Map.groupBy(
			part.filter((operation) => "hold" in operation),
			(operation) => ("hold" in operation ? operation.hold : ""),
		);
		part = without(
			part,
			from,
			// Of a hold from before, only the end is here, and that frees what others may need.
			[...holds.values()].filter((group) =>
				group.some(({ type }) => type === "hold"),
			),
		);
	}
	broken(part, from);
	return best;
}

function observes({ outcome }: Operation): boolean {
	return outcome === "refused" || outcome === "resolved" || outcome === "seen";
}

function upTo(history: readonly Operation[], moment: number): Operation[] {
	return history.flatMap((operation): Operation[] => {
		if (operation.start > moment) return [];
		if (operation.end <= moment) return [operation];
		if (observes(operation) || operation.type === "read") return [];
		return [
			{ ...operation, end: Number.POSITIVE_INFINITY, outcome: "unknown" },
		];
	});
}

/** Moments at which all that had begun had ended, with an outcome, and more came. */
function quietMoments(history: readonly Operation[]): number[] {
	const byStart = history.toSorted((one, other) => one.start - other.start);
	const moments: number[] = [];
	let busyUntil = Number.NEGATIVE_INFINITY;
	for (const { start, end } of byStart) {
		if (busyUntil < start && busyUntil > Number.NEGATIVE_INFINITY)
			moments.push(busyUntil);
		busyUntil = Math.max(busyUntil, end);
	}
	return moments;
}

/** Where the account stands after operations that all have an outcome. */
function standing(
	account: AccountStart,
	before: readonly Operation[],
): AccountStart {
	let { granted, spent = 0 } = account;
	const holds = new Map(account.holds);
	for (const operation of before)
		if (operation.type === "hold" && operation.outcome === "held")
			holds.set(operation.hold, operation.amount);
	for (const operation of before) {
		if (operation.type === "grant") granted += operation.amount;
		if (operation.type === "settle" && operation.outcome === "settled") {
			holds.set(operation.hold, undefined);
			spent += operation.amount;
		}
	}
	return { ...account, granted, spent, holds };
}

type Found =
	| { readonly ok: true }
	| { readonly ok: false; readonly why: string }
	/** Not found out within the steps. */
	| { readonly ok: undefined };

/**
 * Whether the order that the hints claim fits all that clients saw.
 *
 * An order fits the times unless something in it ended before another, placed earlier, began. That is a matter of two
 * at a time, so once the order of what changes the account is given, each observation may take the first place at which
 * it is right and not before one that ended when it began: a later place would help none.
 */
function explains(
	history: readonly Operation[],
	account: AccountStart,
): boolean {
	const acts: Operation[] = [];
	const seen: Operation[] = [];
	for (const operation of history) {
		if (observes(operation)) seen.push(operation);
		else if (operation.hint !== undefined) acts.push(operation);
		else if (operation.outcome !== "unknown") return false;
	}
	acts.sort((one, other) => (one.hint as number) - (other.hint as number));
	const books = openBooks(account);
	const places = [{ ...books.sums(), begun: Number.NEGATIVE_INFINITY }];
	const resolvedAt = new Map<string, number>();
	for (const [id, amount] of account.holds ?? [])
		if (amount === undefined) resolvedAt.set(id, 0);
	for (const act of acts) {
		const begun = Math.max(places.at(-1)?.begun as number, act.start);
		if (act.end < begun || !books.fits(act)) return false;
		books.place(act);
		places.push({ ...books.sums(), begun });
		if (act.type === "settle") resolvedAt.set(act.hold, places.length - 1);
	}
	/** By place, when the first of all later ones ended. */
	const over = new Array<number>(places.length).fill(Number.POSITIVE_INFINITY);
	for (let at = acts.length - 1; at >= 0; at--)
		over[at] = Math.min(over[at + 1] as number, (acts[at] as Operation).end);

	function right(one: Operation, at: number): boolean {
		const sums = places[at] as (typeof places)[number];
		if (one.type === "read")
			return (
				one.granted === sums.granted &&
				one.held === sums.held &&
				one.spent === sums.spent
			);
		if (one.type === "hold") return one.amount > sums.available;
		return one.type === "settle" && (resolvedAt.get(one.hold) ?? at + 1) <= at;
	}
	const placed: { readonly end: number; readonly at: number }[] = [];
	for (const one of seen.sort((one, other) => one.start - other.start)) {
		let at = 0;
		for (const before of placed)
			if (before.end < one.start) at = Math.max(at, before.at);
		while ((over[at] as number) < one.start) at++;
		while (at < places.length && !right(one, at)) at++;
		if (at === places.length || (places[at]?.begun as number) > one.end)
			return false;
		placed.push({ end: one.end, at });
	}
	return true;
}

/**
 * Why nothing that may have come before an operation explains what its client was told, if so: each hold had then been
 * given or not, and been resolved or not, as far as times leave it open, and no choice adds up.
 */
function contradicts(
	acts: readonly Operation[],
	told: Operation,
	account: AccountStart,
): string | undefined {
	if (told.outcome === "unknown" || told.type === "grant") return undefined;
	const granted: (readonly number[])[] = [];
	/** By hold, whether it must have been given and resolved by then, and what it may then have held or cost. */
	const holds = new Map<
		string,
		{ given: boolean; ended: boolean; amounts: number[]; costs: number[] }
	>();
	const of = (id: string) => {
		const hold = holds.get(id) ?? {
			given: false,
			ended: false,
			amounts: [],
			costs: [],
		};
		holds.set(id, hold);
		return hold;
	};
	for (const [id, amount] of account.holds ?? [])
		holds.set(id, {
			given: true,
			ended: amount === undefined,
			amounts: amount === undefined ? [] : [amount],
			costs: amount === undefined ? [0] : [],
		});
	const own = "hold" in told ? told.hold : undefined;
	for (const act of acts) {
		if (act.start > told.end || act === told) continue;
		const done = act.outcome !== "unknown";
		const before = done && act.end < told.start;
		if (act.type === "grant")
			granted.push(before ? [act.amount] : [0, act.amount]);
		if (act.type === "hold") {
			if (done && told.type === "hold" && act.hold === own && !observes(told))
				return `${told.client} was given the hold ${own} a second time.`;
			const hold = of(act.hold);
			hold.amounts.push(act.amount);
			hold.given ||= before;
		}
		if (act.type === "settle") {
			if (done && told.type === "settle" && act.hold === own && !observes(told))
				return `${told.client} resolved the hold ${own}, which had been resolved.`;
			const hold = of(act.hold);
			hold.costs.push(act.amount);
			hold.ended ||= before;
		}
	}
	const about = own === undefined ? undefined : holds.get(own);
	if (told.type === "settle") {
		if (told.outcome === "resolved")
			return about && about.costs.length > 0
				? undefined
				: `${told.client} was told that the hold ${own} had been resolved, and it had not.`;
		if (!about || (about.amounts.length === 0 && !about.ended))
			return `${told.client} resolved the hold ${own}, which nobody had been given.`;
		if (about.ended)
			return `${told.client} resolved the hold ${own}, which had been resolved.`;
		const most = Math.max(...about.amounts);
		return told.amount <= most
			? undefined
			: `${told.client} settled the hold ${own} for ${told.amount}, and it held ${most}.`;
	}

	const choices = (held: 0 | 1, spent: 0 | 1) =>
		[...holds.values()].map(({ given, ended, amounts, costs }) => [
			...(given || ended ? [] : [0]),
			...(ended ? [] : amounts.map((amount) => held * amount)),
			...costs.map((cost) => spent * cost),
		]);
	const taken = choices(1, 1);
	const least = (of: readonly (readonly number[])[]) =>
		of.reduce((sum, one) => sum + Math.min(...one), 0);
	const most = (of: readonly (readonly number[])[]) =>
		of.reduce((sum, one) => sum + Math.max(...one), 0);
	const [had, cost] = [account.granted, account.spent ?? 0];
	const cap = account.cap ?? Number.POSITIVE_INFINITY;
	if (told.type === "hold" && told.outcome === "held") {
		if (about?.given || about?.ended)
			return `${told.client} was given the hold ${own} a second time.`;
		holds.delete(told.hold);
		const available =
			Math.min(had + most(granted), cap) - cost - least(choices(1, 1));
		return told.amount <= available
			? undefined
			: `${told.client} was given a hold of ${told.amount} where ${available} was available at most.`;
	}
	if (told.type === "hold") {
		const available = Math.min(had + least(granted), cap) - cost - most(taken);
		return told.amount > available
			? undefined
			: `${told.client} was refused a hold of ${told.amount} where ${available} was available at least.`;
	}
	for (const [what, from, of, sum] of [
		["granted", had, granted, told.granted],
		["spent", cost, choices(0, 1), told.spent],
		["held", 0, choices(1, 0), told.held],
		["held and spent", cost, taken, told.held + told.spent],
	] as const)
		if (!addsUp(of, sum - from))
			return `${told.client} read ${sum} ${what}, and it was ${from + least(of)} at least, ${from + most(of)} at most, or none of what adds up to it.`;
	return undefined;
}

/** Whether one of each adds up to the sum. */
function addsUp(of: readonly (readonly number[])[], sum: number): boolean {
	let rest = sum;
	const open: number[][] = [];
	for (const one of of) {
		const least = Math.min(...one);
		rest -= least;
		const more = [...new Set(one.map((amount) => amount - least))];
		if (more.length > 1) open.push(more);
	}
	if (rest < 0 || !Number.isInteger(rest)) return false;
	// Bit n: n can be had.
	const within = (1n << BigInt(rest + 1)) - 1n;
	let reached = 1n;
	for (const more of open)
		reached =
			more.reduce((all, amount) => all | (reached << BigInt(amount)), 0n) &
			within;
	return reached >> BigInt(rest) === 1n;
}

/** Where an account stands, and what may happen to it next. */
function openBooks(account: AccountStart) {
	const cap = account.cap ?? Number.POSITIVE_INFINITY;
	let { granted, spent = 0 } = account;
	const holds = new Map(account.holds);
	let held = 0;
	for (const amount of holds.values()) held += amount ?? 0;
	const available = () => Math.min(granted, cap) - held - spent;
	return {
		holds: holds as ReadonlyMap<string, number | undefined>,
		sums: () => ({ granted, held, spent, available: available() }),

		fits(one: Operation): boolean {
			switch (one.type) {
				case "grant":
					return true;
				case "hold":
					return one.outcome === "refused"
						? one.amount > available()
						: !holds.has(one.hold) && one.amount <= available();
				case "settle": {
					const amount = holds.get(one.hold);
					return one.outcome === "resolved"
						? holds.has(one.hold) && amount === undefined
						: amount !== undefined && one.amount <= amount;
				}
				case "read":
					return (
						one.granted === granted && one.held === held && one.spent === spent
					);
			}
		},

		/** What has to be known to take it back. */
		place(one: Operation): number | undefined {
			if (observes(one)) return undefined;
			if (one.type === "grant") granted += one.amount;
			if (one.type === "hold") {
				holds.set(one.hold, one.amount);
				held += one.amount;
			}
			if (one.type !== "settle") return undefined;
			const was = holds.get(one.hold) as number;
			holds.set(one.hold, undefined);
			held -= was;
			spent += one.amount;
			return was;
		},

		takeBack(one: Operation, was: number | undefined): void {
			if (observes(one)) return;
			if (one.type === "grant") granted -= one.amount;
			if (one.type === "hold") {
				holds.delete(one.hold);
				held -= one.amount;
			}
			if (one.type === "settle") {
				holds.set(one.hold, was);
				held += was as number;
				spent -= one.amount;
			}
		},
	};
}

/**
 * Looks for an order. It walks along the starts and ends, and places an operation when its end is reached, or earlier
 * when another needs it to be; then goes back where that led nowhere. After the same operations the account
 * stands the same whatever their order was, so each set is tried once.
 *
 * What can only help is done at once: an observation that fits, and what frees credits where no observation is near
 * that may want them taken. What can only harm waits for its end.
 */
function linearize(
	history: readonly Operation[],
	account: AccountStart,
	steps: number,
): Found {
	const books = openBooks(account);
	const { fits, holds } = books;
	const sums = new Set(
		history.filter(
			({ type, outcome }) => type === "read" || outcome === "refused",
		),
	);
	const watched = history.map((one) =>
		[...sums].some((sum) => sum.start <= one.end && one.start <= sum.end),
	);
	const settles = new Map<string, number>();
	for (const one of history)
		if (one.type === "settle" && one.outcome !== "resolved")
			settles.set(one.hold, (settles.get(one.hold) ?? 0) + 1);
	const atOnce = history.map((one, index) => {
		if (observes(one)) return true;
		// Where nobody looked, doing what helps at once is the best order there is.
		if (watched[index] || one.type === "hold" || one.type === "read")
			return false;
		return one.type === "grant" || settles.get(one.hold) === 1;
	});

	const done = new Uint8Array(history.length);
	const trail: { readonly index: number; readonly was: number | undefined }[] =
		[];
	function place(index: number): void {
		trail.push({ index, was: books.place(history[index] as Operation) });
		done[index] = 1;
	}
	function takeBack(length: number): void {
		while (trail.length > length) {
			const { index, was } = trail.pop() as (typeof trail)[number];
			books.takeBack(history[index] as Operation, was);
			done[index] = 0;
		}
	}

	/** Starts before ends where they fall together: then the two may have overlapped. */
	const moments = history
		.flatMap(({ start, end }, index) => [
			{ time: start, index, ends: false },
			{ time: end, index, ends: true },
		])
		.filter(({ time }) => time !== Number.POSITIVE_INFINITY)
		.sort(
			(one, other) =>
				one.time - other.time || Number(one.ends) - Number(other.ends),
		);
	const active = new Set<number>();
	let at = 0;
	function goBack(to: number): void {
		while (at > to) {
			at--;
			const { index, ends } = moments[at] as (typeof moments)[number];
			if (ends) active.add(index);
			else active.delete(index);
		}
	}
	function placeAtOnce(): void {
		for (let again = true; again; ) {
			again = false;
			for (const index of active) {
				if (done[index] || !atOnce[index] || !fits(history[index] as Operation))
					continue;
				place(index);
				again ||= !observes(history[index] as Operation);
			}
		}
	}

	/** What may be placed next so that the operation whose end is reached gets its place, the likeliest first. */
	function choices(due: number): number[] {
		const wanted = history[due] as Operation;
		const about = "hold" in wanted ? wanted.hold : undefined;
		const wantsMore = wanted.type === "hold" && wanted.outcome !== "refused";
		const rank = (index: number): number => {
			const one = history[index] as Operation;
			const frees = one.type === "grant" || one.type === "settle";
			return (
				(index === due ? -4 : 0) +
				("hold" in one && one.hold === about ? -2 : 0) +
				(frees === wantsMore ? 0 : 2) +
				(one.outcome === "unknown" ? 1 : 0)
			);
		};
		// Of two that fit together, which comes first matters to those alone who look; but a hold that is resolved before
		// another is given takes nothing from it.
		const waiting = [...active].filter((index) => !done[index]);
		const looked = waiting.some((index) =>
			sums.has(history[index] as Operation),
		);
		const passes = (index: number) => {
			const one = history[index] as Operation;
			return (
				one.type === "hold" &&
				waiting.some((other) => {
					const end = history[other] as Operation;
					return end.type === "settle" && end.hold === one.hold;
				})
			);
		};
		if (!looked && fits(wanted))
			return [
				due,
				...waiting.filter(
					(index) =>
						index !== due &&
						wanted.type === "hold" &&
						passes(index) &&
						fits(history[index] as Operation),
				),
			];
		return waiting
			.filter((index) => {
				const one = history[index] as Operation;
				if (!fits(one)) return false;
				// What was spent and granted never comes back.
				if (wanted.type === "read" && overshoots(one, wanted)) return false;
				return (
					index === due ||
					watched[index] ||
					one.type === "settle" ||
					("hold" in one && one.hold === about) ||
					passes(index)
				);
			})
			.sort((one, other) => rank(one) - rank(other));
	}

	function overshoots(
		one: Operation,
		seen: Extract<Operation, { type: "read" }>,
	): boolean {
		const { granted, spent } = books.sums();
		if (one.type === "grant") return granted + one.amount > seen.granted;
		return one.type === "settle" && spent + one.amount > seen.spent;
	}

	const seen = new Set<string>();
	const forks: {
		at: number;
		trail: number;
		options: number[];
		next: number;
	}[] = [];
	let furthest = -1;
	let why = "";
	for (let step = 0; ; step++) {
		if (step > steps) return { ok: undefined };
		placeAtOnce();
		for (; at < moments.length; at++) {
			const { index, ends } = moments[at] as (typeof moments)[number];
			if (ends && !done[index]) break;
			if (ends) active.delete(index);
			else {
				active.add(index);
				placeAtOnce();
			}
		}
		if (at === moments.length) return { ok: true };
		const due = (moments[at] as (typeof moments)[number]).index;
		if (at > furthest) {
			furthest = at;
			why = whyNot(history[due] as Operation);
		}
		const placed = [...active].filter((index) => done[index]);
		const key = `${at}:${placed.sort((one, other) => one - other).join()}`;
		if (!seen.has(key)) {
			seen.add(key);
			forks.push({ at, trail: trail.length, options: choices(due), next: 0 });
		}
		for (;;) {
			const fork = forks.at(-1);
			if (!fork) return { ok: false, why };
			takeBack(fork.trail);
			goBack(fork.at);
			const option = fork.options[fork.next++];
			if (option !== undefined) {
				place(option);
				break;
			}
			forks.pop();
		}
	}

	function whyNot(one: Operation): string {
		const { available, granted, held, spent } = books.sums();
		const stood = `${available} was available (${granted} granted, ${held} held, ${spent} spent)`;
		switch (one.type) {
			case "grant":
				return `${one.client} granted ${one.amount}.`;
			case "hold":
				if (one.outcome === "refused")
					return `${one.client} was refused a hold of ${one.amount} where ${stood}.`;
				return holds.has(one.hold)
					? `${one.client} was given the hold ${one.hold} a second time.`
					: `${one.client} was given a hold of ${one.amount} where ${stood}.`;
			case "settle": {
				const amount = holds.get(one.hold);
				if (!holds.has(one.hold))
					return `${one.client} resolved the hold ${one.hold}, which nobody had been given.`;
				if (one.outcome === "resolved")
					return `${one.client} was told that the hold ${one.hold} had been resolved, and it had not.`;
				return amount === undefined
					? `${one.client} resolved the hold ${one.hold}, which had been resolved.`
					: `${one.client} settled the hold ${one.hold} for ${one.amount}, and it held ${amount}.`;
			}
			case "read":
				return `${one.client} read ${one.granted} granted, ${one.held} held, ${one.spent} spent where ${stood}.`;
		}
	}
}
