import { Fault, type Refusal } from "../../kernel/outcome.ts";

/**
 * A fault in one line for the owner. Ours say what happened; of any other only its kind and place are
 * told, as runtimes quote what they choked on, and that may be a prompt.
 */
export function describeFault(fault: unknown): string {
	if (fault instanceof Fault) return `${fault.code}: ${fault.message}`;
	if (!(fault instanceof Error)) return `a thrown ${typeof fault}`;
	const place = fault.stack
		?.split("\n")
		.find((line) => /^\s+at /.test(line))
		?.trim();
	return place === undefined ? fault.name : `${fault.name} ${place}`;
}

/**
 * What a client is told of a fault. What the disk or the log did is the owner's business: it names places on
 * this machine, so a client only learns that nothing happened and that it may try again.
 */
export function toldToClient(fault: unknown): Refusal {
	if (!(fault instanceof Fault))
		return {
			code: "gateway/internal",
			message:
				"The gateway failed on this request; nothing was charged. The owner finds the place in its output.",
		};
	const { code, message, details } = fault;
	if (isStorage(fault))
		return {
			code,
			message:
				"The gateway cannot use its storage just now, so this was not carried out and nothing was charged. The owner has been told; try again later.",
			details: { retryAfter: 5 },
		};
	return details ? { code, message, details } : { code, message };
}

/** Whether a fault is one of the log or of another store. */
export function isStorage(fault: unknown): boolean {
	return fault instanceof Fault && /^(log|store)\//.test(fault.code);
}
