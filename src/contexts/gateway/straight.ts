import type { Passage } from "../../ports/crossing.ts";
import type {
	ForwardChange,
	WireOperation,
	WireProtocol,
	WireRequest,
} from "../../ports/wire-protocol.ts";

/** Client and vendor speak the same protocol: the bytes pass, and only usage is read from them. */
export function straight(
	wire: WireProtocol,
	operation: WireOperation,
	request: WireRequest,
	change: ForwardChange,
): Passage {
	return {
		passHeaders: operation.passHeaders,
		path: operation.upstreamPath,
		warnings: [],
		forward: (outputLimit) => wire.forward(request, { ...change, outputLimit }),
		answer(forwarded, status, contentType) {
			const meter = wire.meter(request, forwarded, status, contentType);
			return {
				contentType: meter.contentType ?? contentType,
				streaming: contentType.toLowerCase().startsWith("text/event-stream"),
				meter,
			};
		},
		vendorError: (_, body) => body,
	};
}
