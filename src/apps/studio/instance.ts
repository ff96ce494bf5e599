import { hostname } from "node:os";
import type { Chance } from "../../ports/chance.ts";

/** A name for this run of the program, to stand on its holds: host, process, and a part no other run has. */
export function instanceName(chance: Chance): string {
	return `${hostname().replace(/[^\w-]/g, "-")}.${process.pid}.${chance.id().slice(-10)}`;
}

/**
 * Whether the run that a holder names may still live. Runs on other hosts cannot be looked at, so they count as
 * alive until their holds expire; so does a process that took over a dead one's number, which delays, and harms nothing.
 */
export function mayLive(holder: string, self: string): boolean {
	if (holder === self) return true;
	const [host, pid] = holder.split(".");
	const [ownHost] = self.split(".");
	if (host !== ownHost || !/^\d+$/.test(pid ?? "")) return true;
	if (Number(pid) === process.pid) return false;
	try {
		process.kill(Number(pid), 0);
		return true;
	} catch (fault) {
		return (fault as NodeJS.ErrnoException).code === "EPERM";
	}
}
