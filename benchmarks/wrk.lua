-- What wrk sends: one request whose %s is a name, another one each time.
--     wrk ... -s wrk.lua URL -- METHOD PATH BODY PREFIX NAMES HEADER...
-- With NAMES > 0 the names begin again after so many. A HEADER is `Name: value`.
local number, letters = 0, { "a", "b", "d", "e", "g", "h", "k", "s", "t", "u" }

function init(args)
  method, path, body, prefix, names = args[1], args[2], args[3], args[4], tonumber(args[5])
  headers = { ["Content-Type"] = "application/json" }
  for i = 6, #args do
    local name, value = args[i]:match("^(.-): (.*)$")
    headers[name] = value
  end
end

-- Of letters that look like no others.
local function name()
  number = number + 1
  local left = names > 0 and number % names + 1 or number
  local found = prefix
  repeat
    found = found .. letters[left % 10 + 1]
    left = math.floor(left / 10)
  until left == 0
  return found
end

function request()
  local one = name()
  return wrk.format(method, (path:gsub("%%s", one)), headers, body ~= "" and (body:gsub("%%s", one)) or nil)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %f, "refused": %d, "lost": %d, "p50": %f, "p99": %f}\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
