// What bench/topics measures, for js-libp2p's gossipsub (strict signing, noise, yamux, TCP on loopback): events a second
// between two processes, and the time until all of ten have an event. To be run beside bench/topics, in one run of the
// machine. Optional: the packages are not ours and not fetched by anything here.
//
// Usage: node bench/peers/gossipsub.mjs FOLDER [--events N] [--every-ms MS] [--seconds S]
//   FOLDER has node_modules with: libp2p @libp2p/tcp @libp2p/identify @libp2p/gossipsub @chainsafe/libp2p-noise
//   @chainsafe/libp2p-yamux @multiformats/multiaddr
//   --every-ms: an event every 5 ms, as in topics.cpp, is more than two cores take; 50 is not
//
// One process a node; the parent talks to them in messages. hrtime is CLOCK_MONOTONIC, which processes share.
import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const bodySize = 128 // octets, as in topics.cpp
const creditEvents = 32768 // published and not yet delivered by the slowest
const reportEvery = 512
const underWayMax = 256 // publications that are being signed and sent
const topic = 'bench'
const say = (m) => { if (process.connected) process.send(m, () => {}) } // the parent may have gone
const nowUs = () => Number(process.hrtime.bigint() / 1000n)

// Node.js 20 lacks it.
Promise.withResolvers ??= () => {
  let resolve, reject
  const promise = new Promise((a, b) => { resolve = a; reject = b })
  return { promise, resolve, reject }
}

// --- a node's process ---

async function packages(folder) {
  const load = async (name) => {
    const at = resolve(folder, 'node_modules', name)
    const about = JSON.parse(readFileSync(resolve(at, 'package.json')))
    const entry = about.exports?.['.']?.import ?? about.module ?? about.main
    return import(pathToFileURL(resolve(at, entry.import ?? entry.default ?? entry)))
  }
  const names = ['libp2p', '@libp2p/tcp', '@libp2p/identify', '@libp2p/gossipsub', '@chainsafe/libp2p-noise',
    '@chainsafe/libp2p-yamux', '@multiformats/multiaddr']
  return Object.assign({}, ...(await Promise.all(names.map(load))))
}

async function runNode(folder) {
  const p = await packages(folder)
  const node = await p.createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [p.tcp()],
    connectionManager: { inboundConnectionThreshold: 1000, maxIncomingPendingConnections: 100 }, // all from one host
    connectionEncrypters: [p.noise()],
    streamMuxers: [p.yamux()],
    services: { identify: p.identify(), pubsub: p.gossipsub({ globalSignaturePolicy: 'StrictSign' }) }
  })
  const pubsub = node.services.pubsub
  let copies = 0, count = 0, credit = 0, sent = 0
  const received = pubsub.handleReceivedMessage.bind(pubsub)
  pubsub.handleReceivedMessage = (...xs) => { copies++; return received(...xs) }
  pubsub.addEventListener('message', ({ detail }) => {
    if (detail.from?.equals?.(node.peerId)) return
    const at = Number(Buffer.from(detail.data.buffer, detail.data.byteOffset, 8).readBigUInt64LE())
    if (at) say({ latency: nowUs() - at })
    if (++count % reportEvery === 0) say({ got: count })
  })
  pubsub.subscribe(topic)
  const event = (at) => {
    const data = Buffer.alloc(bodySize)
    data.writeBigUInt64LE(BigInt(at))
    return data
  }
  let publishing = false
  async function publish() {
    if (publishing) return
    publishing = true
    while (sent < credit) {
      const burst = Math.min(underWayMax, credit - sent)
      sent += burst
      await Promise.all(Array.from({ length: burst }, () => pubsub.publish(topic, event(0))))
      await new Promise(setImmediate)
    }
    publishing = false
  }
  process.on('message', async (m) => {
    if (m.dial) {
      for (const a of m.dial) await node.dial(p.multiaddr(a))
      say({ dialled: true })
    }
    if (m.subscribers) say({ subscribers: pubsub.getSubscribers(topic).length })
    if (m.credit) { credit = m.credit; publish() }
    if (m.paced)
      for (let left = m.paced; left > 0; --left) {
        await pubsub.publish(topic, event(nowUs()))
        await new Promise((done) => setTimeout(done, m.everyMs))
      }
    if (m.counts) say({ copies, count })
  })
  process.on('disconnect', () => process.exit(0))
  say({ addresses: node.getMultiaddrs().map(String) })
}

// --- the parent ---

class Child {
  constructor(folder) {
    this.process = fork(fileURLToPath(import.meta.url), ['--node', folder], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    this.waiting = []
    this.process.on('message', (m) => { this.onMessage?.(m); this.waiting = this.waiting.filter((w) => !w(m)) })
    this.process.on('exit', (code) => { if (code && !this.stopped) { console.error('gossipsub: a node ended'); process.exit(1) } })
  }
  tell(m) { this.process.send(m) }
  next(key) {
    return new Promise((done) => this.waiting.push((m) => key in m && (done(m[key]), true)))
  }
  async ask(m, key) {
    const answer = this.next(key)
    this.tell(m)
    return answer
  }
}

async function network(folder, count) {
  const nodes = Array.from({ length: count }, () => new Child(folder))
  const addresses = await Promise.all(nodes.map((n) => n.next('addresses')))
  for (let i = 1; i < count; ++i) await nodes[i].ask({ dial: addresses.slice(0, i).map((a) => a[0]) }, 'dialled')
  const deadline = nowUs() + 30e6
  for (const n of nodes)
    while (await n.ask({ subscribers: true }, 'subscribers') < count - 1) {
      if (nowUs() > deadline) throw new Error('not all subscribed within 30 s')
      await new Promise((done) => setTimeout(done, 20))
    }
  await new Promise((done) => setTimeout(done, 3000)) // heartbeats build the mesh
  return nodes
}

const stop = (nodes) => nodes.forEach((n) => {
  n.stopped = true
  n.process.kill('SIGKILL') // what was measured is over
})

async function twoProcesses(folder, seconds) {
  const nodes = await network(folder, 2)
  let got = 0, credit = creditEvents
  const began = nowUs()
  await new Promise((done) => {
    nodes[1].onMessage = (m) => {
      if (!m.got) return
      got = m.got
      if (nowUs() - began > seconds * 1e6) return done()
      credit = got + creditEvents
      nodes[0].tell({ credit })
    }
    nodes[0].tell({ credit })
  })
  console.log(`two processes: ${(got / ((nowUs() - began) / 1e6)).toFixed(0)} events/s`)
  stop(nodes)
}

async function tenNodes(folder, events, everyMs) {
  const nodes = await network(folder, 10)
  const last = new Array(events).fill(0)
  const all = nodes.slice(1).map((n) => new Promise((done) => {
    let seen = 0
    n.onMessage = (m) => {
      if (!('latency' in m)) return
      last[seen] = Math.max(last[seen], m.latency)
      if (++seen === events) done()
    }
  }))
  nodes[0].tell({ paced: events, everyMs })
  await Promise.all(all)
  last.sort((a, b) => a - b)
  const at = (share) => (last[Math.floor(events * share)] / 1000).toFixed(2)
  console.log(`ten nodes, one event every ${everyMs} ms, until the last one has it: p50 ${at(0.5)} ms, p90 ${at(0.9)} ms`)
  let copies = 0, count = 0
  for (const n of nodes.slice(1)) {
    const counts = n.next('copies'), delivered = n.next('count')
    n.tell({ counts: true })
    copies += await counts
    count += await delivered
  }
  console.log(`  ${(copies / count).toFixed(2)} copies a delivery`)
  stop(nodes)
}

const [first, second, ...rest] = process.argv.slice(2)
if (first === '--node') {
  await runNode(second)
} else if (!first || first.startsWith('-')) {
  console.error('usage: node gossipsub.mjs FOLDER [--events N] [--every-ms MS] [--seconds S]\n' +
    '  FOLDER has node_modules with js-libp2p; the head of this file lists its packages')
  process.exit(2)
} else {
  const options = [second, ...rest]
  const value = (name, otherwise) => options.includes(name) ? Number(options[options.indexOf(name) + 1]) : otherwise
  await twoProcesses(first, value('--seconds', 5))
  await tenNodes(first, value('--events', 400), value('--every-ms', 5))
}
