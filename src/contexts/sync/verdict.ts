import type { Declaration, Modes } from "./manifest.ts";

/** What is known about a row. */
export type Status =
	| "SYNCED"
	/** Both names are one file. */
	| "LINKED"
	/** The copy is as it was last synced, and the source moved. */
	| "STALE"
	/** The source is as it was last synced, and the copy moved. */
	| "EDITED"
	/** Both moved. */
	| "CONFLICT"
	/** They differ, and nobody remembers a time when they did not. */
	| "DRIFT"
	/** The source has it, the copy does not. */
	| "MISSING"
	/** The copy has it, the source does not. */
	| "EXTRA"
	/** Same bytes, other permission bits. */
	| "MODE"
	/** A file against a folder, a link or something else. */
	| "TYPE"
	/** Somebody answers for the difference, and it is still the same one. */
	| "DECLARED"
	/** Somebody answered for a difference, and this is another one. */
	| "DECLARED-CHANGED"
	| "UNREADABLE";

export const statuses: readonly Status[] = [
	"SYNCED",
	"LINKED",
	"DECLARED",
	"STALE",
	"MISSING",
	"MODE",
	"EDITED",
	"CONFLICT",
	"DRIFT",
	"EXTRA",
	"TYPE",
	"DECLARED-CHANGED",
	"UNREADABLE",
];

export function isInSync(status: Status): boolean {
	return status === "SYNCED" || status === "LINKED" || status === "DECLARED";
}

/** What stands on one side. */
export type Fact =
	| { readonly kind: "none" }
	| { readonly kind: "folder" | "other" }
	| { readonly kind: "unreadable"; readonly reason: string }
	| { readonly kind: "link"; readonly target: string }
	| {
			readonly kind: "file";
			/** SHA-256 of the bytes, in hex. */
			readonly hash: string;
			/** The nine bits. */
			readonly permissions: number;
			readonly size: number;
	  };

/** What both sides held when they last agreed: a hash, or `link:` and a target. */
export type Base = string;

export interface Question {
	readonly source: Fact;
	readonly copy: Fact;
	/** Both names lead to the same file. */
	readonly same: boolean;
	readonly base: Base | undefined;
	readonly declared: Declaration | undefined;
	/** Whether the manifest lets this row stand on the side that has it alone. */
	readonly alone: boolean;
	/** The copy is meant to be a link to the source. */
	readonly linked: boolean;
	readonly modes: Modes;
	/** `YYYY-MM-DD`. */
	readonly today: string;
}

export interface Verdict {
	readonly status: Status;
	/** Why, where the status does not say it all. */
	readonly note?: string;
}

/** The rule of the whole tool: what two sides, one memory and the manifest make of a row. */
export function judge(question: Question): Verdict {
	const { source, copy, base, declared } = question;
	if (source.kind === "unreadable")
		return { status: "UNREADABLE", note: source.reason };
	if (copy.kind === "unreadable")
		return { status: "UNREADABLE", note: copy.reason };
	if (source.kind === "none" && copy.kind === "none")
		return { status: "MISSING", note: "neither side is there" };
	if (source.kind === "none" || copy.kind === "none") {
		if (question.alone)
			return { status: "DECLARED", note: "declared to stand on one side only" };
		if (source.kind !== "none") {
			return base !== undefined
				? {
						status: "MISSING",
						note: "the copy was there when they last agreed",
					}
				: { status: "MISSING" };
		}
		return base === undefined
			? { status: "EXTRA" }
			: {
					status: "EXTRA",
					note:
						contentOf(copy) === base
							? "the source is gone since they last agreed"
							: "the source is gone and the copy moved since they last agreed",
				};
	}
	if (question.same)
		return question.linked || copy.kind === "link" || source.kind === "link"
			? { status: "LINKED", note: "one name is a link to the other" }
			: { status: "LINKED", note: "both names are one file" };
	if (question.linked)
		return { status: "TYPE", note: "meant to be a link to the source" };
	if (source.kind !== copy.kind)
		return {
			status: "TYPE",
			note: `the source is a ${named(source)}, the copy a ${named(copy)}`,
		};
	const left = contentOf(source);
	const right = contentOf(copy);
	if (left === undefined || right === undefined)
		return { status: "TYPE", note: `both are a ${named(source)}` };
	if (left === right) {
		if (!modesAgree(source, copy, question.modes))
			return {
				status: "MODE",
				note: `${octal(source)} at the source, ${octal(copy)} at the copy`,
			};
		return declared
			? { status: "SYNCED", note: "they agree: the declaration can go" }
			: { status: "SYNCED" };
	}
	if (declared) {
		const sourceMoved = declared.sourceHash !== left;
		const copyMoved = declared.copyHash !== right;
		if (declared.expires !== undefined && question.today > declared.expires)
			return {
				status: "DECLARED-CHANGED",
				note: `the declaration expired on ${declared.expires} (${declared.owner}: ${declared.reason})`,
			};
		if (!sourceMoved && !copyMoved)
			return {
				status: "DECLARED",
				note: `${declared.owner}: ${declared.reason}`,
			};
		const moved = sourceMoved
			? copyMoved
				? "both sides"
				: "the source"
			: "the copy";
		return {
			status: "DECLARED-CHANGED",
			note: `${moved} moved since ${declared.owner} declared it (${declared.reason})`,
		};
	}
	if (base === undefined) return { status: "DRIFT" };
	if (right === base) return { status: "STALE" };
	if (left === base) return { status: "EDITED" };
	return { status: "CONFLICT" };
}

/** What is compared of a side: a hash, or `link:` and the target. */
export function contentOf(fact: Fact): string | undefined {
	if (fact.kind === "file") return fact.hash;
	return fact.kind === "link" ? `link:${fact.target}` : undefined;
}

export function modesAgree(source: Fact, copy: Fact, modes: Modes): boolean {
	if (source.kind !== "file" || copy.kind !== "file") return true;
	if (modes === "ignore") return true;
	const mask = modes === "exact" ? 0o777 : 0o111;
	const left = source.permissions & mask;
	const right = copy.permissions & mask;
	return modes === "exact" ? left === right : (left === 0) === (right === 0);
}

function named({ kind }: Fact): string {
	return kind === "other" ? "device, pipe or socket" : kind;
}

function octal(fact: Fact): string {
	return fact.kind === "file"
		? fact.permissions.toString(8).padStart(3, "0")
		: "";
}
