import {
	closeSync,
	openSync,
	readFileSync,
	rmSync,
	statSync,
	truncateSync,
	writeFileSync,
	writeSync,
} from "node:fs";
import { join } from "node:path";
import { mockVendor } from "../support/studio.ts";
import { chatAnswer, sendJson, startUpstream } from "../support/upstream.ts";
import { mustBalance, openRig } from "./rig.ts";
import { must, mustEqual, type Scenario, sleep } from "./scenario.ts";

/**
 * What a power cut leaves: the write-ahead log ends in the middle of a page that no commit was acknowledged with, and
 * pages that were being moved from it into the file are half of this and half of that.
 */
export const torn: Scenario = {
	name: "torn",
	promise:
		"After a torn last page every call that was answered before is there and the log verifies; a file that lost its end for good is found by an audit, and refused with log/damaged where pages are missing.",
	rounds: { long: 6, short: 1 },
	async play({ random }) {
		const usage = { prompt: 20, completion: 30 };
		const upstream = await startUpstream((_, response) =>
			sendJson(response, 200, chatAnswer("Hello there", usage)),
		);
		const rig = await openRig({ config: mockVendor(upstream.url) });
		try {
			const file = join(rig.dos.home, "dos.db");
			const log = `${file}-wal`;
			const server = await rig.serve();
			const answered = new Map<string, number>();
			const ask = () =>
				rig.call(server.url, {
					body: { model: "mock/m", messages: [], max_tokens: 50 },
				});
			for (let count = random.between(1, 10); count > 0; count--) {
				const { status, headers } = await ask();
				mustEqual(status, 200, "A call on a good disk");
				answered.set(
					headers["x-dos-call-id"] as string,
					Number(headers["x-dos-credits"]),
				);
			}
			const sure = statSync(log).size;
			let calls = 0;
			const load = Promise.all(
				Array.from({ length: 8 }, async () => {
					while (calls++ < 40 && (await ask()).status === 200);
				}),
			);
			await sleep(random.between(5, 60));
			server.process.kill("SIGKILL");
			await server.ended;
			await load;

			const bytes = readFileSync(log);
			const page = bytes.readUInt32BE(8);
			const frame = 24 + page;
			const frames = (size: number) => Math.floor((size - 32) / frame);
			must(
				frames(bytes.length) < 1_000 && frames(bytes.length) >= frames(sure),
				"The write-ahead log was moved into the file, and cannot be torn",
			);
			// Somewhere behind what was acknowledged; where that was the last, in a page that was begun after it.
			const cut =
				bytes.length > sure
					? random.between(sure + 1, bytes.length)
					: sure + random.between(1, frame - 1);
			const whole = frames(cut) * frame + 32;
			const rest = Buffer.alloc(frame, random.pick([0, 0x55, 0xff]));
			bytes.copy(rest, 0, whole, Math.min(cut, bytes.length));
			writeFileSync(
				log,
				Buffer.concat([
					bytes.subarray(0, whole),
					// The rest of the page is there with other bytes, or is missing.
					random.chance(0.5) ? rest : rest.subarray(0, cut - whole),
				]),
			);
			rmSync(`${file}-shm`, { force: true });
			const moved = new Set<number>();
			for (let at = 32; at + frame <= sure; at += frame)
				moved.add(bytes.readUInt32BE(at));
			const pages = statSync(file).size / page;
			const torn = [...moved].filter((one) => one > 1 && one <= pages);
			const target = openSync(file, "r+");
			for (const one of torn)
				writeSync(target, rest, 0, page >> 1, one * page - (page >> 1));
			closeSync(target);

			const again = await rig.serve();
			mustEqual(
				(await rig.call(again.url, { body: { model: "mock/m", messages: [] } }))
					.status,
				200,
				"A call after the restart",
			);
			again.process.kill("SIGTERM");
			mustEqual((await again.ended).code, 0, "Exit code");
			const books = await rig.books();
			mustBalance(books);
			for (const [call, credits] of answered) {
				const [one] = books.resolved.get(call) ?? [];
				must(
					one?.type === "credits-settled" && one.data.amount === credits,
					`${call} was answered for ${credits}, and the log says ${JSON.stringify(one)}`,
				);
			}

			// Half of a page: who looks finds it. More: nobody works on it.
			truncateSync(file, statSync(file).size - (page >> 1));
			const audit = await rig.dos.run("audit", "verify");
			must(
				audit.code === 1,
				`A file without its last half page was found whole: ${audit.out}${audit.error}`,
			);
			truncateSync(file, statSync(file).size - page);
			const start = await Promise.race([
				rig.dos.run("start", "--port", "0"),
				sleep(20_000),
			]);
			must(
				start?.code === 3 && start.error.includes("(log/damaged)"),
				`A file without its end was served with ${start?.code}: ${start?.error}`,
			);
			return `${frames(bytes.length) - frames(sure)} pages behind what was acknowledged, cut in number ${frames(cut) - frames(sure) + 1}; ${torn.length} pages of the file torn and mended`;
		} finally {
			await rig.close();
			await upstream.close();
		}
	},
};
