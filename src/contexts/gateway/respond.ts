import type { Refusal } from "../../kernel/outcome.ts";
import type { HttpResponse } from "../../ports/http-server.ts";
import type { WireProtocol } from "../../ports/wire-protocol.ts";
import { statusOf } from "./model.ts";

/** Answers with a refusal in the client's own error shape; where the answer has begun already, the connection is broken. */
export function respond(
	wire: WireProtocol,
	response: HttpResponse,
	call: string,
	refusal: Refusal,
	extra: Readonly<Record<string, string>>,
): void {
	if (response.started) {
		response.abort();
		return;
	}
	const status = statusOf(refusal.code);
	const { headers, body } = wire.refusal(status, refusal);
	const retryAfter = refusal.details?.retryAfter;
	response.head(status, {
		...headers,
		"x-dos-call-id": call,
		"content-length": String(body.byteLength),
		...(typeof retryAfter === "number"
			? { "retry-after": String(retryAfter) }
			: {}),
		...extra,
	});
	response.end(body);
}
