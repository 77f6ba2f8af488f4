// The page: what comes from the server is shown at once, and times go on once a second.

import { arrange, element, isolated, setOptions, setText } from './dom.js';
import { busOf, Model } from './model.js';
import { Rows } from './rows.js';
import { lookOf, states, textOf } from './state.js';
import { clock, describe, duration } from './text.js';

const byId = (id) => document.getElementById(id);
const model = new Model();
const rows = new Rows(byId('table'), byId('rows'));
const filterFields = ['search', 'state', 'niche', 'bus', 'order'].map(byId);

function filter() {
  const chosen = Object.fromEntries(filterFields.map((field) => [field.id, field.value]));
  return { ...chosen, unnamed: byId('unnamed').checked };
}

function show() {
  const at = performance.now();
  const verdict = model.verdict(at);
  byId('verdict').className = `verdict ${verdict.look}`;
  setText(byId('headline'), verdict.headline);
  setText(byId('problem'), verdict.text);
  const reported = model.reported();
  setText(byId('age'), reported ? `last report ${duration(model.now(at) - reported)} ago` : '');
  document.title = `${verdict.headline} – Liveness`;
  showCounts(at);
  showGaps(at);
  showDelivery(at);
  showComponents(at);
  showEvents(at);
}

const countButtons = new Map(); // by state

function showCounts(at) {
  const counts = model.counts(at);
  for (const state of Object.keys(states)) {
    let button = countButtons.get(state);
    if (!button) {
      button = element('button', { type: 'button' }, element('b'), textOf(state));
      button.addEventListener('click', () => {
        byId('state').value = byId('state').value === state ? '' : state;
        show();
      });
      countButtons.set(state, button);
    }
    setText(button.firstChild, String(counts[state] ?? 0));
    button.firstChild.className = `${lookOf(state)}-now`;
    button.setAttribute('aria-pressed', String(byId('state').value === state));
  }
  arrange(byId('counts'), [...countButtons].filter(([state]) => counts[state]).map(([, button]) => button));
  setText(byId('unnamed-count'), String(model.summary?.unnamed ?? 0));
}

let gapsShown = '';

function showGaps(at) {
  const lost = model.lost(at) !== null;
  const now = model.now(at);
  const more = (model.summary?.open_gaps ?? 0) - model.gaps.length; // that the server leaves out
  byId('no-gaps').hidden = model.gaps.length > 0 && !more;
  const some = !lost && model.summary.buses.some((bus) => bus.known);
  setText(byId('no-gaps'), more ? `And ${more} more.`
    : !some ? 'Not known.' : model.summary.known ? 'None.' : 'None, as far as is known.');
  const shown = JSON.stringify([model.gaps, lost]);
  if (shown === gapsShown) {
    return;
  }
  gapsShown = shown;
  byId('gaps').replaceChildren(...model.gaps.map((gap) => {
    const known = gap.known && !lost;
    const facts = [gap.severity, gap.gap_type, gap.niche, gap.unit, `for ${duration(gap.missing_seconds)}`,
      known ? '' : 'open when it was last reported, not known now',
      gap.delivered ? `heard on the bus at ${clock(gap.delivered, now)}` : ''];
    const card = element('li', { class: known ? '' : 'not-known' },
      element('h3', {}, isolated(gap.name)), isolated(facts.filter(Boolean).join(' · ')),
      element('p', {}, isolated(gap.reason ?? '')));
    if (gap.members) {
      const more = gap.member_count > gap.members.length ? `, and ${gap.member_count - gap.members.length} more` : '';
      card.append(element('p', {}, 'Members: ', isolated(gap.members.join(', ') + more)));
    }
    if (gap.actions) {
      card.append(element('p', {}, 'To do: ', isolated(gap.actions.join('. '))));
    }
    return card;
  }));
}

function showComponents(at) {
  const all = [...model.components.values()];
  const buses = [...new Set(all.map(busOf))].sort();
  setOptions(byId('niche'), [...new Set(all.map((c) => c.niche).filter(Boolean))].sort());
  setOptions(byId('bus'), buses);
  setText(byId('span'), model.summary ? `History, ${duration(model.summary.history_s)}` : 'History');
  const list = model.list(filter(), at);
  const some = list.length === all.length ? '' : `${list.length} of `;
  setText(byId('shown'), `${some}${all.length} component${all.length === 1 ? '' : 's'}`);
  byId('no-components').hidden = all.length > 0;
  rows.show(list, model, at, buses.length > 1);
}

function showDelivery(at) {
  arrange(byId('delivery'), model.delivery(at).map(({ look, text }, i) => {
    const line = byId('delivery').children[i] ?? element('li', {}, isolated(''));
    line.className = look ? `${look}-now` : '';
    setText(line.firstChild, text);
    return line;
  }));
}

let eventsShown = null;

function showEvents(at) {
  if (eventsShown === model.events) {
    return;
  }
  eventsShown = model.events;
  const now = model.now(at);
  byId('no-events').hidden = model.events.length > 0;
  byId('events').replaceChildren(...model.events.map((event) => element('li', {},
    element('time', {}, clock(event.time, now)),
    element('span', {}, element('b', {}, isolated(event.name || busOf(event))), ' ', isolated(describe(event))))));
}

function connect() {
  const source = new EventSource('stream');
  source.addEventListener('message', (event) => {
    model.take(JSON.parse(event.data), performance.now());
    show();
  });
  source.addEventListener('error', () => {
    model.connected = false;
    show();
    if (source.readyState === EventSource.CLOSED) { // the server refused; the browser does not try again by itself
      setTimeout(connect, 3000);
    }
  });
}

document.addEventListener('keydown', (event) => {
  if (event.key === '/' && !event.target.matches('input, select')) {
    event.preventDefault();
    byId('search').focus();
  } else if (event.key === 'Escape') {
    byId('filters').reset();
    show();
  }
});
byId('filters').addEventListener('submit', (event) => event.preventDefault());
byId('filters').addEventListener('input', show);
setOptions(byId('state'), Object.keys(states));
[...byId('state').options].slice(1).forEach((option) => { option.text = textOf(option.value); });
setInterval(show, 1000);
connect();
