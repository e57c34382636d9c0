// Asks the manager for its state each second and shows it. All that comes from the manager is put in as text.
'use strict';

const PERIOD_MILLIS = 1000;
const PATIENCE_MILLIS = 5000;
const CHART_SECONDS = 300;
const LINES = 8; // colours
const SHORT = { failures: 6, requests: 12 }; // how many are shown until all are asked for
const VERSION = 1;

const byId = id => document.getElementById(id);

// ---------------------------------------------------------------- how values are written

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const number = value => whole.format(value);
const rate = value => value >= 100 ? number(value) : value.toFixed(value >= 10 ? 0 : 1);
const percent = value => value + ' %';

function bytes(value) {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return (unit === 0 || value >= 100 ? value.toFixed(0) : value.toPrecision(3)) + ' ' + units[unit];
}

function seconds(value) {
  if (value === null) {
    return '–';
  }
  const [scale, unit] = value >= 1 ? [1, 's'] : value >= 1e-3 ? [1e3, 'ms'] : [1e6, 'µs'];
  const scaled = value * scale;
  return (scaled >= 100 ? scaled.toFixed(0) : scaled.toPrecision(2)) + ' ' + unit;
}

const nanos = value => seconds(value / 1e9);

const time = value => new Date(value).toLocaleTimeString('en-GB');

function age(millis) {
  const minutes = Math.floor(millis / 60000);
  if (minutes < 1) {
    return Math.floor(millis / 1000) + ' s';
  }
  return minutes < 120 ? minutes + ' min' : minutes < 2880 ? Math.floor(minutes / 60) + ' h'
    : Math.floor(minutes / 1440) + ' days';
}

// ---------------------------------------------------------------- the page's parts

// Touches only what changes, so that a selection of text survives.
function put(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

function element(tag, className) {
  const made = document.createElement(tag);
  if (className) {
    made.className = className;
  }
  return made;
}

// As many children as there are items, each made once and then filled.
function repeat(parent, items, make, fill) {
  while (parent.children.length > items.length) {
    parent.lastElementChild.remove();
  }
  while (parent.children.length < items.length) {
    parent.append(make());
  }
  items.forEach((item, i) => fill(parent.children[i], item));
}

// One row for each item; a column is [class, text of an item]. Cells carry their column's name, for narrow screens.
function table(id, items, columns, rowClass) {
  const labels = [...byId(id).querySelectorAll('thead th')].map((head, i) => {
    head.classList.toggle('number', columns[i][0].includes('number'));
    return head.textContent;
  });
  repeat(byId(id).tBodies[0], items, () => {
    const row = element('tr');
    columns.forEach(([className], i) => {
      const cell = element(className.includes('head') ? 'th' : 'td', className);
      if (cell.tagName === 'TH') {
        cell.scope = 'row';
      }
      cell.dataset.label = labels[i];
      row.append(cell);
    });
    return row;
  }, (row, item) => {
    row.className = rowClass(item);
    columns.forEach(([, text], i) => put(row.children[i], text(item)));
  });
  byId(id).hidden = items.length === 0;
  byId(id + '-empty').hidden = items.length > 0;
}

// The first of a list's items, or all where that was asked for; the button below the list says how many there are.
function shortened(id, items) {
  const button = document.querySelector('button[data-list=' + id + ']');
  const whole = button.getAttribute('aria-pressed') === 'true';
  button.hidden = items.length <= SHORT[id];
  put(button, whole ? 'Show fewer' : 'Show all ' + items.length);
  return whole ? items : items.slice(0, SHORT[id]);
}

function definition(term, className) {
  const group = element('div', className);
  const name = element('dt');
  name.textContent = term;
  group.append(name, element('dd'));
  return group;
}

// ---------------------------------------------------------------- charts

class Chart {
  constructor(id, unit, range) {
    this.place = byId(id);
    this.legend = byId(id + '-legend');
    this.unit = unit;
    this.range = range;
    this.label = this.place.getAttribute('aria-label');
    this.names = null;
    this.plot = null;
    this.data = null;
    new ResizeObserver(() => this.plot && this.plot.setSize(this.size())).observe(this.place);
    // Canvases do not follow the style sheet by themselves.
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw(true));
  }

  size() {
    return { width: this.place.clientWidth, height: this.place.clientHeight };
  }

  show(millis, lines) {
    const names = Object.keys(lines).sort().slice(0, LINES);
    const changed = this.names === null || names.join('\n') !== this.names.join('\n');
    this.names = names;
    this.data = [millis.map(value => value / 1000), ...names.map(name => lines[name])];
    this.draw(changed);
    const latest = names.map(name => name + ' ' + (lines[name].at(-1) ?? 'gone') + this.unit).join(', ');
    this.place.setAttribute('aria-label', this.label + (latest ? '. Now: ' + latest : ''));
  }

  draw(anew) {
    if (this.data === null) {
      return;
    }
    if (!anew) {
      this.plot.setData(this.data);
      return;
    }
    const style = getComputedStyle(document.documentElement);
    const color = name => style.getPropertyValue(name).trim();
    const axis = { stroke: color('--faint'), grid: { stroke: color('--line'), width: 1 }, ticks: { show: false } };
    if (this.plot !== null) {
      this.plot.destroy();
    }
    this.plot = new uPlot({
      ...this.size(),
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { range: (plot, least, most) => [most - CHART_SECONDS, most] },
        y: { range: this.range },
      },
      axes: [
        { ...axis, size: 26, values: (plot, marks) => marks.map(mark => time(mark * 1000).slice(0, 5)), incrs: [60, 120, 300], space: 40 },
        { ...axis, size: 44 },
      ],
      series: [{}, ...this.names.map((name, i) =>
        ({ label: name, stroke: color('--line-' + i), width: 2, points: { show: false } }))],
    }, this.data, this.place);
    repeat(this.legend, this.names, () => element('span'), (entry, name) => {
      put(entry, name);
      entry.style.color = color('--line-' + this.names.indexOf(name));
    });
  }
}

const utilization = new Chart('utilization', ' percent', () => [0, 100]);
const waiting = new Chart('waiting', '', (plot, least, most) => [0, Math.max(4, Math.ceil((most || 0) * 1.1))]);

// ---------------------------------------------------------------- showing a state

function showOverview(state) {
  const { engine, devices } = state;
  put(byId('manager'), state.address + ' · up ' + age(state.timeMillis - state.startedMillis)
    + (engine.hostFallback ? ' · no OpenCL here: the slower host device serves' : ''));
  put(byId('tile-devices'), devices.filter(device => device.healthy).length + ' of ' + devices.length);
  put(byId('tile-rate'), rate(engine.donePerSecond));
  put(byId('tile-waiting'), number(engine.waiting));
  put(byId('tile-done'), number(engine.requestsDone));
  put(byId('tile-failed'), number(engine.requestsFailed));
  put(byId('tile-memory'), bytes(engine.usedBytes + engine.pooledBytes) + ' of ' + bytes(engine.limitBytes));
}

function makeDevice() {
  const card = element('li');
  const title = element('h3');
  title.append(element('span'), element('span', 'health'));
  const list = element('dl');
  list.append(definition('Programmed', 'whole'), definition('Utilization'), definition('Resident', 'double'),
    ...['Compute units', 'Running', 'Requests', 'Failures', 'Programmings', 'Evictions'].map(term => definition(term)));
  const meter = element('meter');
  meter.max = 100;
  card.append(title, element('p'), meter, list);
  return card;
}

function fillDevice(card, device) {
  card.className = device.healthy ? '' : 'unhealthy';
  card.dataset.device = device.id;
  const [title, platform, meter, list] = card.children;
  put(title.children[0], device.id);
  put(title.children[1], device.healthy ? 'healthy' : 'failed');
  put(platform, device.vendor + ' ' + device.platform + (device.description ? ' · ' + device.description : ''));
  meter.value = device.utilizationPercent;
  meter.setAttribute('aria-label', 'Utilization of ' + device.id);
  const values = list.querySelectorAll('dd');
  [device.bitstream || 'nothing yet', percent(device.utilizationPercent),
    bytes(device.residentBytes) + ' of ' + bytes(device.memoryBytes), number(device.computeUnits),
    number(device.running), number(device.requests), number(device.failures), number(device.programmings), number(device.evictions)]
    .forEach((text, i) => put(values[i], text));
}

function showAllocations(allocations) {
  table('allocations', allocations, [
    ['head', one => one.name],
    ['number', one => number(one.share)],
    ['number', one => number(one.sessions)],
    ['number', one => number(one.waiting)],
    ['number', one => rate(one.donePerSecond)],
    ['number', one => rate(one.failedPerSecond)],
    ['number', one => seconds(one.waitP50Seconds)],
    ['number', one => seconds(one.waitP95Seconds)],
    ['number double', one => bytes(one.usedBytes) + (one.pooledBytes > 0 ? ' + ' + bytes(one.pooledBytes) + ' pooled' : '')
      + ' of ' + bytes(one.quotaBytes)],
    ['number', one => number(one.segments)],
  ], () => '');
}

function showRequests(requests) {
  const ran = (one, text) => one.device ? text : '–';
  table('requests', shortened('requests', requests), [
    ['', one => time(one.endedMillis)],
    ['head', one => one.accelerator || 'not installed'],
    ['outcome double', one => one.outcome],
    ['wide double', one => one.allocation],
    ['', one => one.device || '–'],
    ['number', one => ran(one, nanos(one.queueNanos))],
    ['number', one => ran(one, nanos(one.transferNanos))],
    ['number', one => ran(one, nanos(one.runNanos))],
  ], one => one.outcome === 'done' ? '' : 'failed');
}

function showFailures(events) {
  repeat(byId('failures'), shortened('failures', events), () => {
    const item = element('li');
    item.append(element('time'), element('b'), element('span'), element('p'));
    return item;
  }, (item, event) => {
    const [when, what, where, message] = item.children;
    item.className = event.level;
    when.dateTime = event.time;
    put(when, time(event.time));
    put(what, event.event.replaceAll('_', ' ') + (event.code ? ' ' + event.code : ''));
    put(where, [event.device, event.bitstream, event.allocation, event.client, event.file].filter(Boolean).join(' · ')
      + (event.suppressed ? ' (and ' + number(event.suppressed) + ' before it like this)' : ''));
    put(message, event.message || '');
  });
  byId('failures-empty').hidden = events.length > 0;
}

function show(state) {
  showOverview(state);
  repeat(byId('devices'), state.devices, makeDevice, fillDevice);
  utilization.show(state.history.millis, state.history.utilization);
  waiting.show(state.history.millis, state.history.waiting);
  showAllocations(state.allocations);
  showFailures(state.events);
  showRequests(state.requests);
}

// ---------------------------------------------------------------- asking

let paused = false;
let latest = null;
let lostSince = null;
let timer = null;

function reachable(problem) {
  if (problem === null) {
    lostSince = null;
  } else if (lostSince === null) {
    lostSince = Date.now();
  }
  document.body.classList.toggle('stale', problem !== null);
  byId('unreachable').hidden = problem === null;
  put(byId('unreachable'), problem === null ? ''
    : 'The manager has not answered since ' + time(lostSince) + ' (' + problem + '). Asking again each second.');
}

async function ask() {
  let problem = null;
  try {
    const answer = await fetch('api/state', { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MILLIS) });
    if (!answer.ok) {
      throw new Error('status ' + answer.status);
    }
    const state = await answer.json();
    if (state.v !== VERSION) {
      throw new Error('it is another version: reload this page');
    }
    if (!paused) {
      latest = state;
      show(state);
    }
  } catch (failure) {
    problem = failure instanceof TypeError ? 'no connection' : failure.message;
  }
  reachable(problem);
}

async function poll() {
  clearTimeout(timer);
  if (!paused && !document.hidden) {
    await ask();
  }
  clearTimeout(timer);
  timer = setTimeout(poll, PERIOD_MILLIS);
}

byId('pause').addEventListener('click', event => {
  paused = !paused;
  event.target.setAttribute('aria-pressed', String(paused));
  poll();
});
for (const button of document.querySelectorAll('button.all')) {
  button.addEventListener('click', () => {
    const whole = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', String(whole));
    byId(button.dataset.list).classList.toggle('whole', whole);
    if (latest !== null) {
      show(latest);
    }
  });
}
document.addEventListener('visibilitychange', poll);
poll();
