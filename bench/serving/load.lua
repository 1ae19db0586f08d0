-- wrk's requests: the bodies of a file in turn. Its figures as one line of JSON.
local bodies, turn = {}, 0

function init(args)
  for line in io.lines(os.getenv("BENCH_BODIES")) do
    local headers = {["Content-Type"] = "application/json", ["Host"] = "127.0.0.1"}
    bodies[#bodies + 1] = wrk.format("POST", os.getenv("BENCH_PATH"), headers, line)
  end
end

function request()
  turn = turn % #bodies + 1
  return bodies[turn]
end

function done(summary, latency, requests)
  local errors = summary.errors
  local lost = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format('\n@@{"requests": %d, "seconds": %.6f, "p50_ms": %.4f, "p99_ms": %.4f, "failed": %d}\n',
    summary.requests + lost, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status + lost))
end
