// What npm `twilio` says: reads a JSON object on stdin, answers one on stdout.
//   {"validate": [{token, signature, url, params}…]} → {"valid": [bool…]}
//   {"rest": {base, sid, token, steps: [[verb, …]…]}} → {"answers": […]}
const twilio = require('twilio');

// Sends what the client would send to api.twilio.com to the simulator.
class Here extends twilio.RequestClient {
  constructor(base) {
    super();
    this.base = base;
  }
  request(options) {
    const uri = options.uri.replace(/^https:\/\/api\.twilio\.com/, this.base);
    return super.request({ ...options, uri });
  }
}

const verbs = {
  account: (client, sid) => client.api.v2010.accounts(sid).fetch().then((a) => ({ status: a.status, type: a.type })),
  create: (client, sid, options) => client.calls.create(options).then(plain),
  fetch: (client, sid, call) => client.calls(call).fetch().then(plain),
  update: (client, sid, call, options) => client.calls(call).update(options).then(plain),
  list: (client, sid, options) => client.calls.list(options).then((calls) => calls.map(plain)),
  remove: (client, sid, call) => client.calls(call).remove(),
  numbers: (client, sid, options) => client.incomingPhoneNumbers.list(options).then((all) => all.map(number)),
  number: (client, sid, pn, options) => client.incomingPhoneNumbers(pn).update(options).then(number),
};

const plain = (call) => ({
  sid: call.sid, status: call.status, to: call.to, from: call.from, direction: call.direction,
  duration: call.duration, startTime: call.startTime, queueTime: call.queueTime,
});
const number = (n) => ({ sid: n.sid, phoneNumber: n.phoneNumber, voiceUrl: n.voiceUrl, voice: n.capabilities.voice });

async function rest({ base, sid, token, steps }) {
  const client = twilio(sid, token, { accountSid: steps.accountSid, httpClient: new Here(base) });
  const answers = [];
  for (const [verb, ...rest] of steps) {
    try {
      answers.push({ ok: await verbs[verb](client, sid, ...rest) });
    } catch (e) {
      answers.push({ code: e.code, status: e.status, message: e.message });
    }
  }
  return { answers };
}

const validate = (cases) => ({
  valid: cases.map((c) => twilio.validateRequest(c.token, c.signature, c.url, c.params)),
});

async function main() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  const asked = JSON.parse(Buffer.concat(chunks));
  const answer = asked.validate ? validate(asked.validate) : await rest(asked.rest);
  process.stdout.write(JSON.stringify(answer));
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
