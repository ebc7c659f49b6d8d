// Every limit of the system in one place, each with the reason for its number. Units are in the names.

const KIB = 1024;
const MIB = 1024 * KIB;

/** A chat body: 163,840 tokens of context at about 6 bytes a token in JSON is under 1 MiB; times 8 for escapes. */
export const MAX_API_BODY_BYTES = 8 * MIB;
/** Requests admitted by the controller at once (running and waiting); the next one gets 429. */
export const MAX_REQUESTS = 256;
/** Messages in one chat request: far over any client's habit, small enough to render at once. */
export const MAX_CHAT_MESSAGES = 4096;

/** Connections to the API at once: 200 streaming clients, each with a few idle ones beside its stream. */
export const MAX_API_CONNECTIONS = 1_024;
/** All headers of an API request: Node's own limit, held here so that it stays. */
export const MAX_API_HEADER_BYTES = 16 * KIB;
/** Receiving them. Node looks for late ones this often, where its own interval is 30 s. */
export const API_HEADERS_TIMEOUT_MS = 10_000;
export const API_LATE_CHECK_MS = 1_000;
/** Keys of the API: each request is compared with all of them, in some microseconds. */
export const MAX_API_KEYS = 256;
/** Receiving one whole API request: MAX_API_BODY_BYTES at 1 Mbit/s is 67 s. */
export const API_REQUEST_TIMEOUT_MS = 120_000;
/** A stream says something at least this often: clients and proxies give up after 15 to 300 s of silence. */
export const API_BEAT_MS = 10_000;
/** A client that takes nothing of its stream for this long is gone: a laptop that sleeps must not hold a session. */
export const API_STALLED_CLIENT_MS = 120_000;
/** Open streams get this long to end when the controller stops; Ctrl-C must end everything within two seconds. */
export const API_CLOSE_MS = 400;
/** While the stages load, requests wait this long for them: small models are there by then, others take minutes. */
export const API_HOLD_MS = 3_000;
/** What Retry-After says with 429 and 503. */
export const API_RETRY_AFTER_S = 5;
/** Stop strings of one request (OpenAI's own limit), and the characters of one: each is searched for at each token. */
export const MAX_STOP_STRINGS = 4;
export const MAX_STOP_STRING_CHARS = 1_024;
/** Longer prompts are tokenized in a thread of their own: at 1.2 MB/s this many characters hold the others up for 14 ms. */
export const INLINE_TOKENIZE_CHARS = 16 * KIB;
/** Tokenizing a whole body of MAX_API_BODY_BYTES in one word, the slowest there is, takes 20 s. */
export const TOKENIZE_TIMEOUT_MS = 60_000;

/** A plan over 64 nodes takes 2.3 s on one core here, and why nothing fits some twenty times that. */
export const PLANNER_TIMEOUT_MS = 120_000;
/** A file of keys or of trust: 1,024 paired nodes of at most 300 bytes each. */
export const MAX_HOME_FILE_BYTES = 512 * KIB;
/** A grammar that an answer is held to, as text: a schema of a hundred fields with their descriptions has 16 KiB. */
export const MAX_GRAMMAR_CHARS = 64 * KIB;
/** Compiling a grammar: schemas of MAX_GRAMMAR_CHARS take below 2 s; what takes longer grows without end. */
export const GRAMMAR_TIMEOUT_MS = 10_000;
/** Tools of one request: OpenAI's own limit. */
export const MAX_TOOLS = 128;
/** Answers to one request (`n`), and prompts of one completion: each takes a session. */
export const MAX_CHOICES = 16;

/** A control message: the largest is `generate` with 163,840 token ids of at most 7 characters each: 1.1 MiB. */
export const MAX_CONTROL_MESSAGE_BYTES = 4 * MIB;
/** What waits to be taken by one agent: MAX_REQUESTS that go on after a loss, each with the longest prompt (282 MiB). */
export const MAX_COMMAND_BACKLOG_BYTES = 320 * MIB;
/**
 * Connections of unknown origin, to each listening port: until TLS has shown a key that is known. A handshake takes a few
 * milliseconds and 100 KiB at most; a node that dials another for a measurement opens MAX_PROBE_TARGETS at once, elsewhere.
 */
export const MAX_STRANGERS = 64;
export const MAX_STRANGERS_PER_ADDRESS = 16;
/** A handshake is 1 to 2 ms of work: one address that floods can take a tenth of a core. */
export const MAX_STRANGERS_PER_SECOND = 50;
/** Wi-Fi with much loss repeats a lost packet after 1 s; this is room for two. */
export const STRANGER_TIMEOUT_MS = 3_000;
/** Lines in a log about refused connections; the rest is counted. */
export const MAX_REFUSALS_LOGGED = 20;
export const REFUSALS_LOGGED_MS = 60_000;

/** Events of strangers among the MAX_EVENTS that are shown: what happens to the cluster itself must stay to be seen. */
export const MAX_STRANGER_EVENTS = 20;
/** Agents of another version whose advert was told of: one that is forgotten is told of again. */
export const MAX_STRANGE_ADVERTS = 256;
/** Adverts that one interface's browser holds; it lists again who is there when it is begun anew. */
export const MAX_ADVERTS = 1_024;
/** Addresses of one advert that are dialled, in turn: a Mac has a handful. */
export const MAX_ADVERTISED_ADDRESSES = 16;
/** Places that are dialled, or rest until they are dialled again: one that is forgotten is dialled again sooner. */
export const MAX_CANDIDATES = 256;
/** Strangers' places that are dialled at once, and all together; each may take HELLO_TIMEOUT_MS and an address. */
export const MAX_STRANGER_DIALS = 32;
export const MAX_DIALS = 128;

/** A pairing code: 10^8 codes, and five tries at once, are one chance in 20 million. */
export const PAIRING_CODE_MS = 900_000;
export const FREE_PAIRING_TRIES = 5;
/** After the fifth wrong code, and twice as much after each further one: 24 tries a day at most, one in 4 million. */
export const PAIRING_DELAY_MS = 30_000;
export const MAX_PAIRING_DELAY_MS = 3_600_000;
/** The whole conversation: five words, and a second of arithmetic on a slow machine. */
export const PAIRING_TALK_MS = 10_000;
/** A word of it: the largest is a public key and a proof in base64, 600 characters. */
export const MAX_PAIRING_WORD_BYTES = 4 * KIB;
/** A join token counts this long: setting a machine up may wait until tomorrow. */
export const JOIN_TOKEN_MS = 86_400_000;
/** Join tokens that count, and unpaired nodes that a controller lists. */
export const MAX_JOIN_TOKENS = 64;
export const MAX_WAITING_NODES = 64;
/** Nodes that one controller is paired with. */
export const MAX_PAIRED_NODES = 1_024;

/** The controller's hello must come this soon after a control connection opens. */
export const HELLO_TIMEOUT_MS = 3_000;
/** Control heartbeats; a node is lost when none was answered for LEASE_MS, which is noticed within one more. */
export const HEARTBEAT_MS = 500;
export const LEASE_MS = 3_500;

/** Rows in one step: sessions that decode together. 64 rows of R1's hidden state are 1.8 MiB in float32. */
export const MAX_ROWS = 64;
/** Tokens in one step, all rows together: one prefill chunk of at most 2,048 and MAX_ROWS decode rows. */
export const MAX_STEP_TOKENS = 2_048 + MAX_ROWS;
/** The widest hidden state of any model meant for the cluster (Llama 405B: 16,384). */
export const MAX_HIDDEN_SIZE = 16_384;
/** A hop frame's payload: MAX_STEP_TOKENS x MAX_HIDDEN_SIZE x 4 bytes = 132 MiB is never needed; R1: 60 MiB. */
export const MAX_FRAME_BYTES = 64 * MIB;
/** Token ids that a model may have: the largest vocabulary of a supported model is 163,840 (Kimi K2). */
export const MAX_VOCABULARY = 262_144;
/** Tokens with a bias in one request: vLLM's limit. As JSON each takes at most 28 bytes. */
export const MAX_LOGIT_BIAS = 1_024;
/** Likeliest tokens that are told beside a drawn one: OpenAI's limit. */
export const MAX_TOP_LOGPROBS = 20;
/** The base64 text of a set of token ids, one bit for each id of the vocabulary: 43,692 characters. */
export const MAX_ID_SET_CHARS = 4 * Math.ceil(MAX_VOCABULARY / 8 / 3);
/** The reason of a failed session, in a frame. */
export const MAX_FAULT_CHARS = 500;
/**
 * Session operations in a step frame: 64 opens (MAX_SESSIONS), as many ends of sessions that are kept, each cut back first
 * to what was not guessed, their faults, and all that was kept (MAX_KEPT_SESSIONS) given up together with what was kept
 * just now.
 */
export const MAX_STEP_OPS = 64 + 2 * 64 + 64 + (128 + 64);
/**
/**
 * The base64 text of how often an answer so far has each of its tokens: at most every id of the vocabulary, each with the
 * distance from the one before and a count, both mostly one byte (agent/stage/id-counts.ts): 720,896 characters.
 */
export const MAX_ID_COUNTS_CHARS = 4 * Math.ceil((2 * MAX_VOCABULARY + (MAX_VOCABULARY >> 5) * 2) / 3);
/** Opens in one step of answers that began on an earlier deployment: each may bring MAX_ID_COUNTS_CHARS and its tokens. */
export const MAX_CONTINUED_OPENS = 4;
/**
 * The same as JSON: opens with a set of prompt ids (43,692 bytes), 1,024 biases (28,672), 64 stop ids (512), a grammar
 * (65,536 characters, in JSON rarely more than twice as many bytes) and 2 KiB of all else are 12.6 MiB; of four answers
 * that go on, the counts 2.8 MiB and 163,840 tokens each 4.4 MiB; 64 faults 40 KiB, the others not 20 KiB.
 */
export const MAX_FRAME_OPS_BYTES = 20 * MIB;
/** Tokens in one word to a draft: a longer text is told in several. */
export const MAX_DRAFT_IDS = 8_192;
/** The same as JSON: each id at most seven bytes with its comma, and half a KiB of all else. */
export const MAX_DRAFT_WORD_BYTES = 64 * KIB;
/**
 * Words that wait in a draft: the first stage tells each of its 64 texts at once when a draft comes, in at most 20 words of
 * MAX_DRAFT_IDS each for 163,840 tokens, and then one for each guess that it took.
 */
export const MAX_DRAFT_WORDS = 4_096;
/** An idle hop says that it lives this often. */
export const HOP_BEAT_MS = 1_000;
/** A hop from which nothing came for so long, beyond what its sender announced, is lost: three beats and a half. */
export const HOP_SILENCE_MS = 3_500;
/** A stage that refuses its hop for so long is gone. */
export const HOP_REFUSED_MS = 1_000;
/** A hop's first frame must come this soon after its socket opens. */
export const HOP_HELLO_TIMEOUT_MS = 3_000;
/** Frames waiting in a stage: twice as many as the most stages a ring has. */
export const MAX_QUEUED_FRAMES = 256;

/** Sessions with a running request on the stages at once; more requests wait in the head's queue. */
export const MAX_SESSIONS = 64;
/** Ended sessions whose KV is kept for later requests: each is compared with every new prompt. */
export const MAX_KEPT_SESSIONS = 128;
/** A session's KV grows by this many tokens at once. Larger blocks waste more of the last one; each growth copies once. */
export const KV_BLOCK_TOKENS = 256;

/** Loading a stage: 377 GB over six disks at 1 GB/s is 63 s; a cold external disk is ten times slower. */
export const LOAD_TIMEOUT_MS = 900_000;
/** Linking the loaded stages into a ring. */
export const LINK_TIMEOUT_MS = 10_000;
/** A request without any token or progress for this long has failed: the slowest prefill chunk on a CPU takes seconds. */
export const REQUEST_PROGRESS_TIMEOUT_MS = 120_000;
/** A request waits this long for a cluster that recovers: longer than loading all stages anew may take. */
export const RECOVERY_TIMEOUT_MS = LOAD_TIMEOUT_MS + 60_000;
/** A request during which a stage crashed so many times in a row, without a token in between, is the probable cause. */
export const MAX_REQUEST_CRASHES = 3;
/** Incidents that are kept, in memory and in the controller's home; as JSON one takes at most 2 KiB. */
export const MAX_INCIDENTS = 500;

/** Why a stage or a hop is gone, in a control message: paths and the last words of a worker are far below it. */
export const MAX_REASON_CHARS = 8 * KIB;

/** A worker says that it lives this often. */
export const WORKER_BEAT_MS = 500;
/** A worker that is silent for so long, beyond what it announced, is frozen: found before its neighbours' hops are. */
export const WORKER_SILENCE_MS = 2_500;
/** A worker that has no layer to read answers a move this soon after the step in which it was asked. */
export const MOVE_TIMEOUT_MS = 5_000;
/** Reading one layer: 6.2 GB of R1 from an external disk at 100 MB/s take 62 s. */
export const LAYER_LOAD_TIMEOUT_MS = 180_000;
/** A step of which nothing is known yet may keep a worker from speaking for so long: Metal compiles its kernels in it. */
export const FIRST_STEP_BUSY_MS = 30_000;
/** The longest silence that a worker may announce. */
export const MAX_BUSY_MS = 300_000;
/** A step that takes ten times as long as measured ones, and at least this long, will never end. */
export const STEP_TIMEOUT_MS = 60_000;
/** What is not dead by then is beyond a signal's reach (a disk or driver that does not answer) and is left behind. */
export const WORKER_KILL_MS = 2_000;
/** A stage stays loaded for so long after its controller was last connected. */
export const CONTROLLER_GRACE_MS = 600_000;
/** Whether somebody still lives behind a connection: this long to answer before another one may take the place. */
export const ALIVE_TIMEOUT_MS = 1_000;
/** What waits to be sent to a controller that does not read: 512 KiB of trace and some thousand tokens fit often. */
export const MAX_CONTROL_BACKLOG_BYTES = 8 * MIB;
/** Ranks of MLX Distributed: as many as a plan may have nodes. */
export const MAX_RANKS = 64;
/** Connections between two neighbours of MLX's ring. */
export const MAX_RANK_CONNECTIONS = 8;
/** MLX gives up after about 30 s if a rank is missing; a shared model is read after that in tensor parallel. */
export const RANK_LINK_TIMEOUT_MS = 60_000;
/** A rank reports twice a second, by a thread of its own also while it computes: silent for so long, it is frozen. */
export const RANK_SILENCE_MS = 20_000;
/** Ranks with a running request make a step at least this often: R1's longest chunk takes 9 s on one M3 Ultra (estimate). */
export const RANK_PROGRESS_TIMEOUT_MS = 60_000;
/** A line of a rank: 64 tokens with 20 likeliest ones each are 80 KiB. */
export const MAX_RANK_LINE_BYTES = MIB;
/** Installing MLX Distributed: 300 MB over a home's line, and unpacking them. */
export const ENGINE_INSTALL_TIMEOUT_MS = 1_200_000;
/** Texts about an engine: a version, or the end of what pip said. */
export const MAX_ENGINE_WORD_CHARS = 2_000;

/** A worker that was asked to stop is killed after this long; Ctrl-C must end everything within two seconds. */
export const WORKER_STOP_MS = 500;
/** Stages report their statistics this often. */
export const STATS_INTERVAL_MS = 500;
/** The status stream's interval where a subscriber asks for no other, and the shortest that it may ask for: four a second. */
export const STATUS_INTERVAL_MS = 500;
export const MIN_STATUS_INTERVAL_MS = 250;
export const MAX_STATUS_INTERVAL_MS = 60_000;
/** Incidents in a status message: as JSON at most 12 KiB; those before them are at their own path. */
export const MAX_SHOWN_INCIDENTS = 6;
/** Nodes in a status message that wait to be paired; GET /cluster/v1/pairing has all. */
export const MAX_SHOWN_WAITING = 16;
/** Samples of the history: ten minutes. */
export const HISTORY_STEP_MS = 1_000;
export const HISTORY_SAMPLES = 600;
/** Nodes in the history; who was not heard of for ten minutes is forgotten. */
export const MAX_HISTORY_NODES = 128;
/** Of these, 2 times 600 numbers of at most 12 characters each: 1.8 MB. */
export const MAX_HISTORY_BYTES = 2 * MIB;
/** Status subscribers at once. */
export const MAX_STATUS_CLIENTS = 32;
/** A status message: 256 requests, 100 events and 64 nodes of at most 1 KiB each are 0.4 MiB; 64 machines 0.5 MiB. */
export const MAX_STATUS_MESSAGE_BYTES = MIB;
/** A status stream that was silent for this long is broken: ten intervals. */
export const STATUS_SILENCE_MS = 5_000;
/** A status subscriber that is this far behind (ten of the largest messages) is dropped. */
export const MAX_STATUS_BACKLOG_BYTES = 4 * MIB;
/** Subscribers have nothing to say. */
export const MAX_STATUS_INPUT_BYTES = KIB;
/** Events kept for the dashboard. */
export const MAX_EVENTS = 100;
/**
 * Steps of which a stage keeps the times: at ten steps a second the last 50 s. As JSON one takes at most 350 bytes
 * (16 numbers with their names), so all of them 175 KiB in one control message.
 */
export const MAX_TRACE_STEPS = 512;
/** A stage that is asked for its trace answers between two steps: who computes longer is left out. */
export const TRACE_TIMEOUT_MS = 3_000;

/** Findings that one node tells of itself: each kind once, of ports and interfaces a few each. */
export const MAX_CHECK_FINDINGS = 128;
/** Changes that mend one finding: a bridge is taken apart, and each of a Mac's six ports gets an address. */
export const MAX_FIXES = 16;
/** A node that checks itself: its commands have 5 s, the first look at all facts 20 s, in turn. */
export const CHECK_TIMEOUT_MS = 30_000;
/** Lengths of texts in a machine's facts: the longest port name seen has 40 characters, the longest note 200. */
export const MAX_FACT_CHARS = 100;
export const MAX_NOTE_CHARS = 300;
/** Notes of one record: about twice as many as there are sources. */
export const MAX_FACT_NOTES = 48;
/** A Mac Studio with VPNs and virtual machines has some 40 interfaces; each has a handful of addresses. */
export const MAX_INTERFACES = 64;
export const MAX_INTERFACE_ADDRESSES = 16;
/** Routes to networks; those to single neighbours are left out. */
export const MAX_ROUTES = 64;
/** No Mac has more than 8 Thunderbolt ports; behind one, hubs can join a few Macs. */
export const MAX_THUNDERBOLT_PORTS = 16;
export const MAX_THUNDERBOLT_PEERS = 8;
/** One RDMA device a port; its GID table has 1,024 places, few of them in use. */
export const MAX_RDMA_DEVICES = 16;
export const MAX_RDMA_GIDS = 16;
/** Of each machine in a status message; so cut down, one takes at most 7.5 KiB. */
export const MAX_SHOWN_INTERFACES = 8;
export const MAX_SHOWN_PORTS = 8;
export const MAX_SHOWN_LABEL_CHARS = 32;
/** A machine's load is told at most this often, and only where somebody listens. */
export const LOAD_INTERVAL_MS = 10_000;

/** Addresses that one node opens for one measurement, and address pairs that another tries: 64 pairs of 8 by 8. */
export const MAX_PROBE_ADDRESSES = 32;
export const MAX_PROBE_TARGETS = 64;
/** Address pairs of which one direction is measured in full, at most PROBE_FIGURES_TIMEOUT_MS each. */
export const MAX_PROBED_PATHS = 8;
/** Connections to one measurement's listeners at once: one for each target, and one that is measured. */
export const MAX_PROBE_CONNECTIONS = MAX_PROBE_TARGETS + 1;
/** Who answers neither the first SYN nor the one that is repeated after a second is not on this network. */
export const PROBE_CONNECT_TIMEOUT_MS = 1_300;
/** Pairs that are tried at once; figures are taken of one at a time. */
export const MAX_PROBES = 8;
/** Round trips of each size, or as many as fit in the time: Wi-Fi takes 5 to 50 ms each. */
export const PROBE_ROUND_TRIPS = 200;
export const PROBE_ROUND_TRIPS_MS = 250;
/**
 * Bursts, of which the best counts: the first finds TCP and code cold, and each may meet other work. One is as many bytes as
 * 10 Gb/s carry in 27 ms, or as many as go out in the time.
 */
export const PROBE_BURSTS = 3;
export const MAX_PROBE_BURST_BYTES = 32 * MIB;
export const PROBE_BURST_MS = 75;
/** What is in the buffers at the end of a burst, 1 MiB on Linux and macOS, takes 1.7 s at 5 Mb/s. */
export const PROBE_FIGURES_TIMEOUT_MS = 3_000;
/** Opening listeners, and the way of a word to an agent and back. */
export const PROBE_WORD_TIMEOUT_MS = 2_000;
/** One direction of all paths: what the agent may take, and the word. */
export const PROBE_MEASURE_TIMEOUT_MS = MAX_PROBED_PATHS * PROBE_FIGURES_TIMEOUT_MS + PROBE_WORD_TIMEOUT_MS;
/** The longest that a measurement may take, after which an agent closes what it opened: both directions of all, in turn. */
export const PROBE_TIMEOUT_MS =
  2 * PROBE_WORD_TIMEOUT_MS + PROBE_CONNECT_TIMEOUT_MS + MAX_PROBES * 2 * PROBE_MEASURE_TIMEOUT_MS;
/** Links are measured anew after this long, when the cluster is idle. */
export const LINKS_FRESH_MS = 1_800_000;
/** A first plan waits for the links this long, from when the last node came: 15 pairs of six nodes take a quarter of it. */
export const LINKS_WAIT_MS = 60_000;
/** Findings that are shown: one for each pair of 12 nodes. */
export const MAX_FINDINGS = 64;

/** Files of one model: R1 in bfloat16 has 163 of weights and a dozen others. */
export const MAX_MODEL_FILES = 1_024;
/** Nodes that hold a file at most, on purpose. */
export const MAX_PULL_REPLICAS = 64;
/** A text file of a model; the largest seen is a tokenizer.json of 33 MB. */
export const MAX_MODEL_TEXT_BYTES = 128 * MIB;
/** The header of one weights file as the controller reads it: a thousand tensors take 120 KB. */
export const MAX_STORE_HEADER_BYTES = 16 * MIB;
/** Files on their way to one node at once: so that one that waits for its source does not keep the others. */
export const MAX_NODE_FETCHES = 4;
/** Files that come from the hub at once, over all nodes: one connection to a CDN rarely fills a home's line. */
export const MAX_HUB_FETCHES = 4;
/** Files that one node is read for at once, by nodes and the controller together. */
export const MAX_STORE_READS = 32;
/** What is left free on a disk that models are fetched to: macOS swaps on it. */
export const DISK_RESERVE_BYTES = 2 * 1024 * MIB;
/** A source that sends nothing for this long is asked anew. */
export const FETCH_STALL_MS = 20_000;
/** Tries follow one another after 0.5 s, twice as much each time, at most this, or as long as Retry-After says. */
export const FETCH_RETRY_MS = 500;
export const MAX_FETCH_RETRY_MS = 30_000;
/** A file of which no byte came for this long, whatever was tried, has failed. A home's line is sometimes away for minutes. */
export const FETCH_GIVE_UP_MS = 900_000;
/** The same where it comes from another node: there are others, and the hub. */
export const COPY_GIVE_UP_MS = 10_000;
/** A question to an agent's store that takes no bytes of a file: the hub answers in seconds, or is asked again. */
export const STORE_ASK_TIMEOUT_MS = 60_000;
/** Fetching the text files of a model and asking for its list of files: 40 MB at 1 MB/s, and tries. */
export const STORE_DESCRIBE_TIMEOUT_MS = 600_000;
/** A fetch tells at least this often that it lives, while it waits for its next try, too; the controller waits five times as long. */
export const STORE_PROGRESS_MS = 1_000;
export const STORE_SILENCE_MS = 30_000;
/** A pull waits this long for a node that went while it ran. */
export const PULL_NODE_WAIT_MS = 600_000;
/** Pulls that ended and are still shown. */
export const MAX_SHOWN_PULLS = 8;
/** A switch to another model waits this long for requests that run, as long as they have deadlines for themselves. */
export const SWITCH_DRAIN_MS = 30_000;

/** Tokens for which a session of `tokens` has room, and takes memory, on every stage. */
export function kvCapacity(tokens: number): number {
  return Math.ceil(tokens / KV_BLOCK_TOKENS) * KV_BLOCK_TOKENS;
}
