import { Fault } from "../../kernel/outcome.ts";

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
