import { leaseContract } from "../../ports/lease.contract.ts";
import { manualClock } from "../runtime/manual-clock.ts";
import { memoryLeases } from "./memory.ts";

leaseContract("memory", async () => {
	const clock = manualClock();
	return {
		leases: memoryLeases(clock),
		pass: (milliseconds) => clock.advance(milliseconds),
	};
});
