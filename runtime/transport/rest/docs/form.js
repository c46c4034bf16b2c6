// A form for the inputs of a workflow, made from their schema.
import { resolve } from './api.js';

/** Makes an element; what of its attributes is a function listens. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, '');
    else if (value !== false && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** The one type, besides null, that a schema allows. */
function typeOf(schema) {
  const types = [schema.type ?? []].flat().filter((t) => t !== 'null');
  return types.length === 1 ? types[0] : '';
}

/** What a schema asks for, in a few words. */
function rules(schema) {
  const said = [];
  const range = (least, most, unit) => {
    if (least !== undefined && most !== undefined) said.push(least === most ? `exactly ${least}${unit}` : `${least} to ${most}${unit}`);
    else if (least !== undefined) said.push(`at least ${least}${unit}`);
    else if (most !== undefined) said.push(`at most ${most}${unit}`);
  };
  range(schema.minimum, schema.maximum, '');
  range(schema.minLength, schema.maxLength, ' characters');
  range(schema.minItems, schema.maxItems, ' items');
  if (schema.exclusiveMinimum !== undefined) said.push(`more than ${schema.exclusiveMinimum}`);
  if (schema.exclusiveMaximum !== undefined) said.push(`less than ${schema.exclusiveMaximum}`);
  if (schema.multipleOf !== undefined) said.push(`a multiple of ${schema.multipleOf}`);
  if (schema.pattern !== undefined) said.push(`matches ${schema.pattern}`);
  return said.join(', ');
}

/** A value that a schema might take, to begin with. Schemas may go round in circles: there is a bound on its parts. */
export function sample(doc, schema, depth = 0, parts = { left: 200 }) {
  if (parts.left-- <= 0) return null;
  schema = resolve(doc, schema);
  if (schema.default !== undefined) return schema.default;
  if (schema.examples?.length) return schema.examples[0];
  if (schema.const !== undefined) return schema.const;
  if (schema.enum?.length) return schema.enum[0];
  const first = schema.oneOf?.[0] ?? schema.anyOf?.[0];
  if (first && !schema.type) return sample(doc, first, depth + 1, parts);
  switch (typeOf(schema)) {
    case 'object': {
      const out = {};
      if (depth > 5) return out;
      for (const [name, property] of Object.entries(schema.properties ?? {})) out[name] = sample(doc, property, depth + 1, parts);
      return out;
    }
    case 'array': return depth > 5 ? [] : [sample(doc, schema.items ?? {}, depth + 1, parts)];
    case 'integer': case 'number': return schema.minimum ?? 0;
    case 'boolean': return false;
    case 'string': {
      const text = 'text'.padEnd(Math.min(schema.minLength ?? 0, 64), '.');
      return text.slice(0, schema.maxLength ?? text.length);
    }
    default: return depth === 0 ? {} : '';
  }
}

let fields = 0; // makes the ids of fields unique

/** A field for one input. text() is its JSON: undefined for none, null when it is wrong. */
function field(doc, name, schema, required, changed) {
  const raw = schema;
  schema = resolve(doc, schema);
  const id = `field-${++fields}`;
  const type = typeOf(schema);
  const listen = { id, input: changed, 'aria-describedby': `${id}-note`, 'aria-required': required ? 'true' : undefined };
  let control;
  let read;
  let set = (value) => { control.value = value === undefined ? '' : JSON.stringify(value, null, 2); };
  const options = schema.enum ?? (type === 'boolean' ? [true, false] : undefined);
  if (options) {
    control = element('select', listen, element('option', { value: '' }, required ? 'choose one' : ''),
      ...options.map((o) => element('option', { value: JSON.stringify(o) }, typeof o === 'string' ? o : JSON.stringify(o))));
    read = () => control.value || undefined;
    set = (value) => { control.value = value === undefined ? '' : JSON.stringify(value); };
  } else if (type === 'integer' || type === 'number') {
    control = element('input', { ...listen, inputmode: type === 'integer' ? 'numeric' : 'decimal', autocomplete: 'off' });
    // The digits go as they were typed: a large number would lose some on its way through JavaScript.
    read = () => {
      const typed = control.value.trim();
      if (typed === '') return undefined;
      return /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(typed) ? typed : null;
    };
  } else if (type === 'string') {
    const long = (schema.maxLength ?? 0) > 200 || schema.contentMediaType;
    control = element(long ? 'textarea' : 'input', { ...listen, rows: long ? 3 : undefined, autocomplete: 'off', spellcheck: 'false' });
    let touched = false;
    control.addEventListener('input', () => { touched = control.value !== ''; });
    read = () => (control.value !== '' || touched || required ? JSON.stringify(control.value) : undefined);
    set = (value) => { control.value = typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value); };
  } else {
    control = element('textarea', { ...listen, rows: 4, spellcheck: 'false' });
    control.placeholder = JSON.stringify(sample(doc, raw, 1), null, 1).replace(/\s*\n\s*/g, ' ');
    read = () => {
      const typed = control.value.trim();
      if (typed === '') return undefined;
      try { JSON.parse(typed); return typed; } catch { return null; }
    };
  }
  if (schema.default !== undefined) set(schema.default);
  else if (schema.examples?.length && control.placeholder === '') control.placeholder = String(schema.examples[0]);
  const kind = [schema.format ?? (type || (options ? 'choice' : 'JSON')), control.tagName === 'TEXTAREA' && type !== 'string' && type ? 'as JSON' : ''].filter(Boolean).join(' ');
  const label = element('label', { for: id }, schema.title ?? name, element('span', { class: 'kind' }, schema.title ? `${name} · ${kind}` : kind));
  if (required) label.append(element('span', { class: 'required' }, ' required'));
  const note = element('p', { id: `${id}-note` }, [schema.description, rules(schema)].filter(Boolean).join(' · '));
  const wrong = element('p', { class: 'wrong', role: 'alert' });
  const wide = control.tagName === 'TEXTAREA';
  return {
    name, control, set,
    node: element('div', { class: wide ? 'field wide' : 'field' }, label, control, note, wrong),
    text() {
      const text = read();
      control.setAttribute('aria-invalid', text === null ? 'true' : 'false');
      wrong.textContent = text === null ? (type === 'integer' || type === 'number' ? 'This is no number.' : 'This is not JSON.') : '';
      return text;
    },
  };
}

/** The inputs of a workflow: as a form where the schema names them, or as JSON. */
export function inputs(doc, workflow, changed) {
  const schema = workflow.input;
  const names = Object.keys(schema.properties ?? {}).sort((a, b) => rank(a) - rank(b));
  function rank(name) { return (schema.required ?? []).includes(name) ? 0 : 1; }
  const list = names.map((name) => field(doc, name, schema.properties[name], rank(name) === 0, changed));
  const form = element('div', { class: 'fields' }, ...list.map((f) => f.node));
  const id = `field-${++fields}`;
  const editor = element('textarea', { id, rows: 10, spellcheck: 'false', input: changed });
  const wrong = element('p', { class: 'wrong', role: 'alert' });
  const raw = element('div', { class: 'field' }, element('label', { for: id }, 'Inputs as a JSON object'), editor, wrong);
  let asJSON = list.length === 0;
  editor.value = '{}';

  const typed = () => {
    const members = [];
    for (const f of list) {
      const text = f.text();
      if (text === null) return null;
      if (text !== undefined) members.push(`${JSON.stringify(f.name)}: ${text}`);
    }
    return `{${members.join(', ')}}`;
  };
  const written = () => {
    try {
      const value = JSON.parse(editor.value.trim() || '{}');
      if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new Error('not an object');
      editor.setAttribute('aria-invalid', 'false');
      wrong.textContent = '';
      return editor.value.trim() || '{}';
    } catch (e) {
      editor.setAttribute('aria-invalid', 'true');
      wrong.textContent = `This is no JSON object: ${e.message}`;
      return null;
    }
  };
  const show = () => { form.hidden = asJSON; raw.hidden = !asJSON; };
  show();
  return {
    nodes: [form, raw],
    hasForm: list.length > 0,
    /** The inputs as JSON; null when a field is wrong. */
    text: () => (asJSON ? written() : typed()),
    /** Focuses what is wrong, or else the first field. */
    focus() {
      const all = asJSON ? [editor] : list.map((f) => f.control);
      (all.find((c) => c.getAttribute('aria-invalid') === 'true') ?? all[0])?.focus();
    },
    /** Changes over to JSON or to the form, with what was filled in; false when that cannot be. */
    change(toJSON) {
      if (toJSON === asJSON) return true;
      if (toJSON) {
        const text = typed();
        if (text === null) return false;
        editor.value = list.length ? text.replace(/^\{(.+)\}$/s, (_, inner) => `{\n  ${inner.replaceAll(/, (?="(?:[^"\\]|\\.)*": )/g, ',\n  ')}\n}`) : text;
        try { JSON.parse(editor.value); } catch { editor.value = text; }
      } else {
        if (written() === null) return false;
        const text = editor.value.trim() || '{}';
        const value = JSON.parse(text);
        // A form that does not show an input would drop it, and JavaScript the digits of a large number.
        const other = Object.keys(value).find((name) => !names.includes(name))
          ?? text.match(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g)?.find((token) => token[0] !== '"' && String(Number(token)) !== token);
        if (other !== undefined) {
          wrong.textContent = `The form cannot show ${other}.`;
          return false;
        }
        for (const f of list) f.set(value[f.name]);
      }
      asJSON = toJSON;
      show();
      return true;
    },
    /** Fills in an example. */
    fill() {
      const value = sample(doc, schema);
      editor.value = JSON.stringify(value, null, 2);
      for (const f of list) f.set(value?.[f.name]);
    },
  };
}
