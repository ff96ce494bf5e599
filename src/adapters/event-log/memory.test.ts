import { eventLogContract } from "../../ports/event-log.contract.ts";
import { memoryEventLog } from "./memory.ts";

eventLogContract("memory", memoryEventLog);
