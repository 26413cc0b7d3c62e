//! The scripts, each of which the server runs in one step. They see and write the keys of one fleet, and take the time
//! from the server's clock.

/// One script: its text, and its place among those that a connection has loaded.
#[derive(Clone, Copy)]
pub(crate) enum Script {
    Raise,
    ReadAll,
    Fold,
    Permit,
    Renew,
    Announce,
}

pub(crate) const ALL: [Script; 6] = [
    Script::Raise,
    Script::ReadAll,
    Script::Fold,
    Script::Permit,
    Script::Renew,
    Script::Announce,
];

// A connection finds what it has loaded of `ALL` by the number of the script.
const _: () = {
    let mut at = 0;
    while at < ALL.len() {
        assert!(ALL[at] as usize == at);
        at += 1;
    }
};

impl Script {
    pub(crate) fn text(self) -> String {
        let parts: &[&str] = match self {
            Self::Raise => &[EPOCH, DATE, RAISE],
            Self::ReadAll => &[DISOWN, EPOCH, READ_ALL],
            Self::Fold => &[DATE, FOLD],
            Self::Permit => &[PERMIT],
            Self::Renew => &[RENEW],
            Self::Announce => &[ANNOUNCE],
        };
        format!("{NOW}{}", parts.concat())
    }
}

/// Numbers are written out: Lua's own form of a large one has an exponent.
const NOW: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function whole(number) return string.format('%.0f', number) end
";

/// KEYS: numbers, ages. ARGV: what an epoch is drawn from, for how long all is kept.
///
/// The first write asks for no memory, and what has begun to write is not stopped: so a server that is full still takes a
/// clear.
const EPOCH: &str = "
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then
  epoch = ARGV[1] .. '-' .. whole(now)
  redis.call('DEL', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[1], 'epoch', epoch)
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
";

/// ARGV from 3: the epoch that is not to be gone on with, or nothing.
const DISOWN: &str = "
if redis.call('HGET', KEYS[1], 'epoch') == ARGV[3] then redis.call('DEL', KEYS[1], KEYS[2]) end
";

/// ARGV from 3: channel, field, number, 1 where the field folds.
const RAISE: &str = "
local head = whole(redis.call('HINCRBY', KEYS[1], 'head', 1))
local kept = ARGV[5] .. ' ' .. head .. ' ' .. whole(now)
redis.call('HSET', KEYS[1], ARGV[4], kept)
if ARGV[6] == '1' then
  date()
  redis.call('ZADD', KEYS[2], head, ARGV[4])
end
redis.call('PUBLISH', ARGV[3], epoch .. ' ' .. kept .. ' ' .. ARGV[4])
return redis.call('ZCARD', KEYS[2])
";

const READ_ALL: &str = "
return {whole(now), redis.call('HGETALL', KEYS[1])}
";

/// Where the ages alone were dropped, the numbers date them anew: a number without an age would stay for ever, and members,
/// who fold by the head, would miss it in what they remember.
const DATE: &str = "
local function date()
  if redis.call('EXISTS', KEYS[2]) == 1 then return end
  local all = redis.call('HGETALL', KEYS[1])
  for at = 1, #all, 2 do
    if string.find(all[at], '^%a+:entry:') or string.find(all[at], '^%a+:tag:') then
      redis.call('ZADD', KEYS[2], string.match(all[at + 1], ' (%d+) %d+$'), all[at])
    end
  end
end
";

/// KEYS: numbers, ages. ARGV: channel, number, older than, beyond, at most so many at once.
const FOLD: &str = "
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then return 0 end
date()
local total = redis.call('ZCARD', KEYS[2])
local oldest = redis.call('ZRANGE', KEYS[2], 0, ARGV[5] - 1, 'WITHSCORES')
local fields, floor = {}, '0'
for at = 1, #oldest, 2 do
  local kept = redis.call('HGET', KEYS[1], oldest[at])
  local since = kept and tonumber(string.match(kept, '(%d+)$')) or 0
  if now - since < tonumber(ARGV[3]) and total - #fields <= tonumber(ARGV[4]) then break end
  fields[#fields + 1] = oldest[at]
  floor = oldest[at + 1]
end
if #fields == 0 then return 0 end
local head = whole(redis.call('HINCRBY', KEYS[1], 'head', 1))
local kept = ARGV[2] .. ' ' .. head .. ' ' .. whole(now)
for _, field in ipairs(fields) do
  local ending, kind, mark = string.match(field, '^(%a+):(%a+):(%x+)')
  local into = kind == 'entry' and (ending .. ':entries:' .. mark) or (ending .. ':tags')
  redis.call('HSET', KEYS[1], into, kept)
  redis.call('HDEL', KEYS[1], field)
  redis.call('ZREM', KEYS[2], field)
end
redis.call('PUBLISH', ARGV[1], epoch .. ' ' .. kept .. ' fold ' .. floor)
return #fields == tonumber(ARGV[5]) and 1 or 0
";

/// KEYS: permit, gifts. ARGV: holder, at most, for how long, for how long the last gift is remembered.
///
/// The number of a gift also rises where the server forgot the last one, as its clock does.
const PERMIT: &str = "
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
  return {0, redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] - now}
end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3] + 1000)
local gift = math.max(tonumber(redis.call('GET', KEYS[2]) or 0) + 1, now * 1000)
redis.call('SET', KEYS[2], whole(gift), 'PX', ARGV[4])
return {1, gift}
";

/// KEYS: permit. ARGV: holder, for how long.
const RENEW: &str = "
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2] + 1000)
return 1
";

/// KEYS: members, member, numbers, ages. ARGV: the member, what it says, for how long that and all else is kept.
const ANNOUNCE: &str = "
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[3], ARGV[4])
redis.call('PEXPIRE', KEYS[4], ARGV[4])
return tonumber(redis.call('HGET', KEYS[3], 'head') or 0)
";
