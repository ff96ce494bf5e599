import { expect, it } from "vitest";
import { hearPeer, peerLinkContract } from "../../ports/peer-link.contract.ts";
import { systemClock } from "../runtime/clock.ts";
import { manualClock } from "../runtime/manual-clock.ts";
import { memoryPeerLink, memoryPeers } from "./memory.ts";

peerLinkContract("memory", () => memoryPeerLink(systemClock));
peerLinkContract("memory, in microtasks", () => memoryPeerLink(manualClock()));

it("hands over when its clock says so, and loses what is under way when it is cut", async () => {
	const clock = manualClock({ soon: "settle" });
	const [near, far] = memoryPeers(clock);
	const heard = hearPeer(far);
	near.send("one");
	expect(heard.texts).toEqual([]);
	await clock.settle();
	expect(heard.texts).toEqual(["one"]);
	near.send("lost");
	far.cut();
	await clock.settle();
	expect(heard.texts).toEqual(["one"]);
	expect(heard.ends()).toBe(1);
});
