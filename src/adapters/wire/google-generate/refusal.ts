import type { Refusal } from "../../../kernel/outcome.ts";

/**
 * A refusal in the vendor's shape. Its `details` say the reason (`CREDITS_INSUFFICIENT`), with our
 * own code and the numbers behind it as text: clients that read the vendor's schema to the letter
 * take nothing else.
 */
export function refusalBody(
	status: number,
	{ code, message, details }: Refusal,
): object {
	const metadata: Record<string, string> = { code };
	for (const [name, value] of Object.entries(details ?? {}))
		if (value !== undefined)
			metadata[name] =
				typeof value === "string" ? value : JSON.stringify(value);
	return {
		error: {
			code: status,
			message,
			status: statusName(status),
			details: [
				{
					"@type": "type.googleapis.com/google.rpc.ErrorInfo",
					reason: code.replace(/[^a-z0-9]+/gi, "_").toUpperCase(),
					domain: "duranteos",
					metadata,
				},
			],
		},
	};
}

function statusName(status: number): string {
	return (
		statusNames.get(status) ?? (status >= 500 ? "INTERNAL" : "INVALID_ARGUMENT")
	);
}

const statusNames: ReadonlyMap<number, string> = new Map([
	[401, "UNAUTHENTICATED"],
	[402, "RESOURCE_EXHAUSTED"],
	[403, "PERMISSION_DENIED"],
	[404, "NOT_FOUND"],
	[405, "UNIMPLEMENTED"],
	[409, "ABORTED"],
	[429, "RESOURCE_EXHAUSTED"],
	[499, "CANCELLED"],
	[501, "UNIMPLEMENTED"],
	[502, "UNAVAILABLE"],
	[503, "UNAVAILABLE"],
	[504, "DEADLINE_EXCEEDED"],
	[529, "UNAVAILABLE"],
]);
