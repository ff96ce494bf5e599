import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mockVendor } from "../support/studio.ts";
import { chatAnswer, sendJson, startUpstream } from "../support/upstream.ts";
import { compiledShim } from "./disk.ts";
import { mustBalance, openRig } from "./rig.ts";
import { must, mustEqual, type Scenario, sleep } from "./scenario.ts";

/** The clock of the running program is set, forwards and back, by minutes up to days. */
export const clock: Scenario = {
	name: "clock",
	promise:
		"While the clock jumps every call is answered and resolved once; the log's times never go back, and no hold stays open.",
	rounds: { long: 3, short: 1 },
	async play({ random, short }) {
		const library = compiledShim();
		const folder = mkdtempSync(join(tmpdir(), "dos-clock-"));
		const control = join(folder, "fault");
		const set = (seconds: number): void => {
			const words = Buffer.alloc(16);
			words.writeBigInt64LE(BigInt(seconds), 8);
			// In place: the program has the file before its eyes.
			writeFileSync(control, words, { flag: "r+" });
		};
		writeFileSync(control, Buffer.alloc(16));
		const upstream = await startUpstream(async (_, response) => {
			await sleep(random.below(40));
			const usage = { prompt: 20, completion: 30 };
			return sendJson(response, 200, chatAnswer("Hello there", usage));
		});
		const rig = await openRig({
			config: mockVendor(upstream.url),
			environment: { LD_PRELOAD: library, DOS_DISK_FAULT: control },
		});
		try {
			const server = await rig.serve();
			let busy = true;
			let answers = 0;
			const clients = Array.from({ length: 12 }, async () => {
				while (busy) {
					const answer = await rig.call(server.url, {
						body: { model: "mock/m", messages: [], max_tokens: 50 },
					});
					must(
						answer.status === 200 && answer.whole,
						`A call was answered ${answer.status} ${answer.body} while the clock jumped`,
					);
					answers++;
				}
			});
			const load = Promise.all(clients);
			load.catch(() => {});
			const jumps: number[] = [];
			for (let left = short ? 4 : 10; left > 0; left--) {
				const by = random.pick([90, 3_600, 86_400, 10 * 86_400]);
				const seconds = random.pick([-1, 1]) * by;
				set(seconds);
				jumps.push(seconds);
				await Promise.race([load, sleep(random.between(50, 700))]);
			}
			set(0);
			await Promise.race([load, sleep(500)]);
			busy = false;
			await load;
			server.process.kill("SIGKILL");
			await server.ended;
			// Under a clock that is behind the log's newest event.
			set(-random.between(0, 86_400));
			const again = await rig.serve();
			again.process.kill("SIGTERM");
			mustEqual((await again.ended).code, 0, "Exit code");
			const books = await rig.books();
			mustBalance(books);
			mustEqual(books.holds, 0, "Holds that stayed open");
			mustEqual(
				upstream.received.length,
				books.held.length,
				"Calls that the vendor saw, and those that were held for",
			);
			return `${jumps.join(", ")} s; ${answers} calls answered`;
		} finally {
			await rig.close();
			await upstream.close();
			rmSync(folder, { recursive: true, force: true });
		}
	},
};
